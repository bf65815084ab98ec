"""The table as a page: docs/methods.md."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from equipoise.chain import Composite
from equipoise.registry import (
    AROUND,
    BY_COORDINATES,
    BY_GRAMIAN,
    BY_GROUPS,
    BY_LOSSES,
    BY_RESULTS,
    MethodRow,
    read_costs,
)
from equipoise.registry.row import COMMAND, StepCost

if TYPE_CHECKING:
    from equipoise.testing import Invariances

INTRODUCTION = """\
# Methods

All balancing methods, by the names that papers, `eq.method(name)` and the command line use. Start with `sum`, then
`fixed` with tuned weights; a method that beats neither on your validation metric is not worth its cost. See also [how
to choose](choose.md), the [papers](papers.md) with files and tests, and [your own method](own-method.md).

```python
import equipoise as eq

method = eq.method("fairgrad", alpha=2.0)  # or eq.FairGrad(alpha=2.0)
chain = eq.Chain(eq.RunningNorm(), eq.Clip(max_norm=5.0), method)
wrapped = eq.Smooth(0.9, eq.MGDA())
```

`equipoise methods uw` shows one method in the terminal. There, in `eq.method` and in `--methods` other names of a
method work too: `UW`, `uncertainty`, `GradNorm`, `pareto`. This page is written by `equipoise methods --markdown`.

## How to read it

A method that sees losses costs one backward pass, one that sees gradients up to K ([fewer](engine.md) where layers are
wide). A user's *weight* of a task scales its loss, becomes a preference, inverts (a heavier task counts less), or is
ignored, where the method does not depend on the scale of a loss.

The tables show measured behaviour, not the paper's claims. *Invariances* are measured anew whenever this page is
written, by `equipoise.testing.invariances`: a training of a few steps with five tasks runs as it is, and again with one
thing changed. A "no" is a counterexample; a "yes" held in every training drawn, whatever task was changed. What learns
scales or follows them slowly, such as `uw`, `imtl-l`, `gradnorm` and `mean-norm`, is measured before it has settled.

- **one loss × c**: does the direction of the step stay when one loss is multiplied by c = 2^±10?
- **all losses × c**: the step becomes c^d times itself, and d is shown; neither: how the step changes depends on c.
- **copy**: does the direction stay when one of the tasks is there twice?
- **rotation**: does the step turn with the parameter space? Where not, the method looks at single coordinates.
"""
ABOUT_NORMS = """\
**norm** is that of the paper's step relative to the plain sum's where K gradients, and K losses, are equal: 1/K for a
mean. A balancer multiplies by the inverse (`scale="sum"`, its default), so that the learning rate, weight decay
and clipping of the plain sum hold for all of these; `scale="paper"` leaves it out. A law of `equipoise.testing` holds
every method to what it declares. It is exact where the weights follow from the step alone, of random
weights in every draw, and of `moco` once its running means have caught up. In a chain every step that means sums
instead.

*own*: the norm is part of the method, and no balancer changes it. With SGD tune the learning rate for it:

| method | norm of a step |
|---|---|
{own}
"""
ABOUT_COSTS = """\
**K = 3** and **K = 10** are the processor time of a step, forward and backward pass, over that of the plain sum, on an
MLP with 1.5 million parameters and a batch of 64. Elsewhere a method's own work weighs less, and gradient methods cost
up to K ([other networks](benchmarks.md)). Measured by `{command}` on
{machines}.
"""
ABOUT_AROUND = """\
## Around another method

Made as `eq.Every(10, method)`, not by name. What stays when losses or parameters change is the method's affair.
"""
SECTIONS: tuple[tuple[str, str, tuple[MethodRow, ...]], ...] = (
    ("By losses", "One backward pass.", BY_LOSSES),
    ("By validation results", "One backward pass; results go in by `balancer.observe`.", BY_RESULTS),
    ("By the gramian of the gradients", "K backward passes or fewer.", BY_GRAMIAN),
    (
        "By groups of parameters",
        "K backward passes or fewer; weights for every group, measured over all shared parameters, with raw heads.",
        BY_GROUPS,
    ),
    ("By single coordinates", "K backward passes, and memory for K gradients.", BY_COORDINATES),
)
HEAD = (
    "| method | idea | K = 3 | K = 10 | norm | one loss × c | all losses × c | copy | rotation |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def markdown(found: "Mapping[str, Invariances]") -> str:
    """The page: every method once, under what it sees.

    Args:
        found: {name: what running the method has shown}, of every method that has a name.
    """
    costs = read_costs()
    parts = [INTRODUCTION, _about_norms(), _about(costs)]
    for title, words, rows in SECTIONS:
        table = "\n".join([HEAD, *(_line(row, costs.get(row.name), found[row.name]) for row in rows)])
        parts += [f"## {title}\n\n{words}\n\n{table}\n", *map(_entry, rows)]
    parts += [ABOUT_AROUND, *map(_entry, AROUND)]
    return "\n".join(parts).rstrip("\n")


def _about_norms() -> str:
    rows = [row for _, _, rows in SECTIONS for row in rows if row.norm == "own"]
    return ABOUT_NORMS.format(own="\n".join(_cells(f"[`{row.name}`](#{row.name})", row.cls.own_norm) for row in rows))


def _about(costs: Mapping[str, StepCost]) -> str:
    machines = "; ".join(sorted({cost.machine for cost in costs.values()}))
    return ABOUT_COSTS.format(command=COMMAND, machines=machines)


def _line(row: MethodRow, cost: StepCost | None, found: "Invariances") -> str:
    measured = (f"{cost.three:.1f}", f"{cost.ten:.1f}") if cost else ("–", "–")
    return _cells(f"[`{row.name}`](#{row.name})", row.idea, *measured, row.norm, *found.cells)


def _entry(row: MethodRow) -> str:
    weight = "as the method has it" if issubclass(row.cls, Composite) else row.user_weight
    lines = [
        f"### {row.name}",
        "",
        row.idea,
        "",
        f"- {row.formula}",
        f"- `eq.{row.cls.__name__}({row.signature})`",
        f"- Source: {row.paper}",
        f"- When: {row.when}",
        f"- Needs: {row.needs}. A user's weight: {weight}.",
    ]
    if row.errata:
        lines.append(f"- Public code: {row.errata}")
    return "\n".join(lines) + "\n"


def _cells(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
