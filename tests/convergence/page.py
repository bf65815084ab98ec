"""docs/convergence.md: what the registry states of each method's limit, and what is measured.

python tests/convergence/page.py                        # all methods: minutes
python tests/convergence/page.py --methods mgda uw      # these alone; the other rows stay
python tests/convergence/page.py --dry                  # prints the rows and writes nothing
"""

import argparse
from pathlib import Path

import torch
from descent import descend
from limits import LIMITS, made, target
from quadratics import START, drawn
from stationary import residual
from toy import PAPERS, descend_any, reached

PAGE = Path(__file__).parents[2] / "docs" / "convergence.md"
STEPS = 1500
TOY_ARGUMENTS = {"lagrangian": {"limits": [None, 10.0, None]}}  # the toy's losses are larger
TOY_STEPS, TOY_RATE = 1500, 0.04

INTRODUCTION = f"""\
# Convergence of methods

For each method: the limit of training that its paper promises, what holds here, and what was measured. Two or three
tasks share four parameters; every task is a strongly convex quadratic of its own scale and shape, so that the Pareto
set is known in closed form. Gradient descent takes {STEPS} steps of length 0.1 / (1 + t / 20); losses are observed and
epochs end every ten steps.

- *Here*: a minimum is that of the expression behind it, of the vector of losses.
- *Residual*: the squared length of the shortest convex combination of the tasks' gradients, over the sum of their
  squared lengths. It is zero at Pareto-stationary points only.
- *Distance*: from the point of the column *here* where that is one. The optima are a distance of 1 from the origin.
- *Toy*: the two losses of two parameters of the CAGrad and Nash-MTL papers (scale 0.1, the five starts of Nash-MTL).
  The number is the first coordinate where the run ends on the Pareto set, from -7, the second task's minimum, to 7,
  the first task's; - where it does not. {TOY_STEPS} steps of Adam with a rate that falls from {TOY_RATE} to 0; losses
  are shown above their lower bound of -21.

*Nothing* promised is common: many methods change the path of training, not its limit. Where the weights are
positive and come to rest, the end is Pareto-stationary by algebra, and *here* says so. Where the front is concave
(Fonseca's problem, ZDT2, DTLZ2), weighted sums reach only its ends; `tchebycheff`, `stch`, `p-norm` and `stch-mtl`
reach the point of their preference: `tests/convergence/test_known_fronts.py`.

Measured by `python tests/convergence/page.py`; of one method, by `--methods NAME` (torch, CPU, one thread, float64).
The columns *promised*, *here* and *why* are from the registry, and the tests in `tests/convergence` assert them.
"""
HEAD = f"| name | promised | here | why | residual (2; 3 tasks) | distance (2; 3 tasks) | toy |\n{'|---' * 7}|"


def stated(name):
    """The columns that are not measured."""
    limit = LIMITS[name]
    why = limit.why.replace("|", "\\|")
    return f"| `{name}` | {limit.promised} | {limit} | {why} |"


def _convex(name, num_tasks):
    problem, method = drawn(num_tasks), made(name, num_tasks)
    try:
        x, _ = descend(method, problem, START, STEPS)
    except ValueError:  # it needs more tasks
        return "", ""
    point = target(name, problem, method)
    distance = "" if point is None else f"{float((x - point).norm()):.0e}"
    return f"{residual(problem(x)[1]):.0e}", distance


def _toy(name, start):
    scale = PAPERS["nash"][0]
    try:
        end = descend_any(made(name, 2, TOY_ARGUMENTS.get(name)), start, scale, TOY_STEPS, TOY_RATE)
    except ValueError:
        return ""
    return f"{end[0]:.1f}" if reached(end) else "-"


def line(name):
    """The row of a method."""
    residuals, distances = zip(*(_convex(name, num_tasks) for num_tasks in (2, 3)), strict=True)
    cells = (
        "; ".join(residuals),
        "; ".join(filter(None, distances)),
        " ".join(_toy(name, s) for s in PAPERS["nash"][2]),
    )
    return f"{stated(name)} {' | '.join(cells)} |"


def stale():
    """The methods whose row is missing or states another limit than the registry; None where the page is whole."""
    text = PAGE.read_text(encoding="utf-8")
    rows = [row for row in text.splitlines() if row.startswith("| `")]
    lacking = [name for name in LIMITS if not any(row.startswith(stated(name)) for row in rows)]
    whole = text == "\n".join([INTRODUCTION, HEAD, *rows, ""]) and [row.split("`")[1] for row in rows] == list(LIMITS)
    return None if whole and not lacking else lacking


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="*", choices=list(LIMITS), default=list(LIMITS), metavar="NAME")
    parser.add_argument("--dry", action="store_true", help="print the rows and write nothing")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = {}
    for name in options.methods:
        found[name] = line(name)
        print(found[name], flush=True)
    if options.dry:
        return
    lines = PAGE.read_text(encoding="utf-8").splitlines() if PAGE.exists() else []
    kept = {row.split("`")[1]: row for row in lines if row.startswith("| `")}
    rows = [found.get(name) or kept[name] for name in LIMITS if name in found or name in kept]
    PAGE.write_text("\n".join([INTRODUCTION, HEAD, *rows]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
