"""The table as a page: docs/methods.md."""

from collections.abc import Iterable

from equipoise.registry import aggregators, coordinates, rules, weightings, wrappers
from equipoise.registry.row import Row
from equipoise.wrapping import Wrapper

INTRODUCTION = """\
# Methods

How losses or gradients are balanced, by the names that papers, `eq.method(name)` and the command line use. Begin with
`sum`, then `fixed` with searched weights; what beats neither on your validation metric is not worth its cost.

```python
import equipoise as eq

method = eq.method("fairgrad", alpha=2.0)  # or eq.FairGrad(alpha=2.0)
chain = eq.Chain(eq.RunningNorm(), eq.Clip(max_norm=5.0), method)
wrapped = eq.Smooth(0.9, eq.MGDA())
```

A method that sees losses costs one backward pass, one that sees gradients up to K ([fewer](engine.md) where layers are
wide). *Weight* says what becomes of the weight that a user gives a task. This page is written by
`equipoise methods --markdown`, from the table that the command line reads.
"""
SECTIONS = (
    ("By losses", "One backward pass.", weightings.ROWS),
    ("By validation results", "One backward pass; results go in by `balancer.observe`.", rules.ROWS),
    ("By the gramian of the gradients", "K backward passes or fewer.", aggregators.ROWS),
    ("By single coordinates", "K backward passes, and memory for K gradients.", coordinates.ROWS),
    ("Around another method", "Made as `eq.Every(10, method)`, not by name.", wrappers.ROWS),
)
HEAD = "| name | formula | idea | when | needs | weight | public code |\n|---|---|---|---|---|---|---|"


def markdown() -> str:
    """The page: every method once, under what it sees."""
    return "\n".join([INTRODUCTION, *(_section(*section) for section in SECTIONS)]).rstrip("\n")


def _section(title: str, words: str, rows: Iterable[Row]) -> str:
    return "\n".join([f"## {title}\n\n{words}\n", HEAD, *map(_line, rows)]) + "\n"


def _line(row: Row) -> str:
    formula = row.formula.replace("``", "`")
    cells = (
        f"`{row.name}`<br>`{row.cls.__name__}({row.signature})`",
        formula,
        row.idea,
        row.when,
        f"{row.paper}; {row.needs}",
        "the method's" if issubclass(row.cls, Wrapper) else row.user_weight,
        row.errata,
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
