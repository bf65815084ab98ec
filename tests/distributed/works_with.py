"""docs/works-with.md from a run of every set-up with every kind of method: python tests/distributed/works_with.py."""

import sys

import joint_by_hand
from joint_by_hand import SIZE, STEPS
from setups import SETUPS, train
from team import Team

# a part of the message -> what to do instead
EXPLAINED = {
    "reentrant activation checkpointing hides": "`checkpoint(..., use_reentrant=False)`",
    "call eq.compile_safe()": "`eq.compile_safe()` before the model is compiled",
    "makes no gradients of single tasks": "`fully_shard` (FSDP2), or a method that reads losses",
    "over sharded parameters compares the gradients of all of them": "a gramian's method, no `representation`",
    "representation has no use in": "leave it out",
}

INTRODUCTION = f"""\
# Works with

What `balancer(losses).backward()` delivers in every set-up, by one method of each kind: `uw` reads losses, `mgda` the
gramian, `graddrop` single coordinates, `metabalance` gramians by groups of parameters, `every 2, mgda` reuses
weights in every second step. Three tasks with missing labels, batches of {SIZE}, {STEPS} steps of SGD.

- A number is the distance between the gradients of all steps and those of the definition, relative to their length:
  K calls of `autograd.grad` in one process, in float64, on the whole batch (on each micro-batch where each is
  balanced). DDP, FSDP and tensor parallel run in two processes (gloo) unless the row says four.
- A number in brackets is an error that says what to do; they are listed below.
- *Ranks*: whether all have the same gradients, bit for bit.
- In low precision `graddrop` may keep the other sign where positive and negative parts nearly balance: a coordinate
  then differs by its whole size, and the numbers say nothing of the format.

Written by `python tests/distributed/works_with.py > docs/works-with.md` (CPU; `torch.compile` with `aot_eager`).
`tests/distributed/test_works_with_page.py` runs it again and allows no worse order of magnitude.
"""


def cell(team, name, kind):
    """A relative error, whether ranks agree; or a message."""
    setup = SETUPS[name]
    try:
        found = team(train, name, kind)
    except RuntimeError as error:
        return str(error), None
    size = 1 if setup.has_whole_batch else setup.ranks
    micro_batches = 1 if setup.is_joint else setup.micro_batches
    expected = joint_by_hand.train(kind, setup.dtype, size, micro_batches, setup.clip)
    error = max(float((gradient - expected).norm() / expected.norm()) for gradient in found)
    return error, all(bool((gradient == found[0]).all()) for gradient in found)


def explanation(message):
    """The number of an error that says what to do; ``None`` for any other."""
    found = [number for number, part in enumerate(EXPLAINED, 1) if part in message]
    return found[0] if found else None


def row(teams, name):
    """The cells of a set-up as the page shows them: errors, or numbers of explanations; and its last column."""
    cells, agreed = [], []
    for kind in joint_by_hand.KINDS:
        found, agrees = cell(teams[SETUPS[name].ranks], name, kind)
        if isinstance(found, str):
            number = explanation(found)
            assert number, f"{name}, {kind}: {found}"
            cells.append(f"[{number}]")
        else:
            limit = SETUPS[name].limit if kind != "graddrop" or SETUPS[name].limit < 1e-3 else 1.0
            assert found <= limit, f"{name}, {kind}: {found:.1e}, at most {limit:.0e}"
            cells.append(f"{found:.0e}")
            agreed.append(agrees)
    assert all(agreed), f"{name}: ranks differ"
    return cells, "" if SETUPS[name].ranks == 1 else "equal" if agreed else "all raise"


def head():
    return f"| set-up | {' | '.join(joint_by_hand.KINDS)} | ranks |\n{'|---' * (len(joint_by_hand.KINDS) + 2)}|"


def notes():
    return "\n".join(f'{n}. "… {part} …": {what}.' for n, (part, what) in enumerate(EXPLAINED.items(), 1))


def page(teams):
    """The whole page."""
    lines = [head()]
    for name in SETUPS:
        cells, ranks = row(teams, name)
        lines.append(f"| {name} | {' | '.join(cells)} | {ranks} |")
        print(lines[-1], file=sys.stderr, flush=True)
    table = "\n".join(lines)
    return f"{INTRODUCTION}\n{table}\n\nErrors, and what to do instead:\n\n{notes()}"


if __name__ == "__main__":
    teams = {size: Team(size) for size in (1, 2, 4)}
    try:
        print(page(teams))
    finally:
        for team in teams.values():
            team.dismiss()
