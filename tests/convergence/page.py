"""docs/convergence.md from the table of promises and from what is measured: python tests/convergence/page.py."""

import torch
from descent import descend
from promises import PROMISES, made_for
from quadratics import START, drawn
from stationary import residual
from toy import PAPERS, descend_any, reached

import equipoise as eq

STEPS = 1500
TOY_ARGUMENTS = {"lagrangian": {"limits": [None, 10.0, None]}}  # the toy's losses are larger
TOY_STEPS, TOY_RATE = 1500, 0.04

INTRODUCTION = f"""\
# Convergence of methods

For each method: the limit of training that its paper promises, what holds here, and what was measured. Two or three
tasks share four parameters; every task is a strongly convex quadratic of its own scale and shape, so that the Pareto
set is known in closed form. Gradient descent takes {STEPS} steps of length 0.1 / (1 + t / 20); losses are observed and
epochs end every ten steps.

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

Written by `python tests/convergence/page.py > docs/convergence.md` (torch, CPU, one thread, float64). The columns
*promised*, *here* and *why* are the table that the tests in `tests/convergence` assert.
"""
HEAD = f"| name | promised | here | why | residual (2; 3 tasks) | distance (2; 3 tasks) | toy |\n{'|---' * 7}|"


def made(name, num_tasks, other=None):
    """The method of the table for so many tasks."""
    arguments = (other or PROMISES[name].arguments).items()
    return eq.method(name, **{argument: made_for(num_tasks, value) for argument, value in arguments})


def told(name):
    """The columns that are not measured."""
    promise = PROMISES[name]
    why = promise.why.replace("|", "\\|")
    return f"| `{name}` | {promise.promised} | {promise.tested} | {why} |"


def _convex(name, num_tasks):
    problem, method, target = drawn(num_tasks), made(name, num_tasks), PROMISES[name].target
    try:
        x, _ = descend(method, problem, START, STEPS)
    except ValueError:  # it needs more tasks
        return "", ""
    distance = "" if target is None else f"{float((x - target(problem, START, method)).norm()):.0e}"
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
    return f"{told(name)} {' | '.join(cells)} |"


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(INTRODUCTION)
    print(HEAD)
    for row in eq.methods():
        print(line(row.name), flush=True)
