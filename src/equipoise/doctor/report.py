"""What the doctor sees of one step, as numbers and as a page of plain text, 88 columns wide."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from equipoise.doctor.parts import LossPart
from equipoise.paragraphs import numbered, table
from equipoise.record import Record

_WIDTH = 88
_MANY = 8  # tasks from which on a matrix of cosines is no longer a page's width


@dataclass(frozen=True)
class ParameterReach:
    """Parameters that share one fate."""

    name: str  # of a parameter, or of all below a module: ``trunk.*``
    tasks: tuple[str, ...]  # whose losses reach them
    frozen: bool
    held: bool | None  # by the optimiser; None where none was given
    given: bool  # to the balancer
    numbers: int


@dataclass(frozen=True)
class RouteCost:
    """What a route costs beside the forward pass."""

    route: str
    passes: str
    operations: float  # multiply-adds at layers that have factors: products and the combined gradient
    memory: int  # bytes held between the backward passes: rows, and factors
    milliseconds: float | None = None  # of a backward, if it was asked for
    refused: str = ""  # why there are none, where PyTorch could not run it


@dataclass(frozen=True)
class Report:
    """One step, examined; ``print`` shows it as a page.

    Gradients have the users' weights in them. Matrices are in float64 on the CPU, in the order of ``names``.
    """

    method: str
    names: tuple[str, ...]  # the tasks present
    absent: tuple[str, ...]
    user_weights: Mapping[str, float]
    losses: Mapping[str, float]  # raw
    reach: list[ParameterReach]
    gramian: Tensor | None  # [K, K] by all shared parameters; None if there was none, or no way to measure it
    modules: Mapping[str, Tensor]  # [K, K] by the shared parameters of each top-level module
    layers: Mapping[str, Tensor]  # [K, K] by the shared parameters of each innermost module
    parts: list[LossPart]  # of losses that are sums
    own_norms: Mapping[str, float]  # by the parameters that a task reaches alone
    weights: Mapping[str, float]  # effective, what the method would decide now in them; empty if it decides none
    costs: list[RouteCost]
    findings: list[str]
    suggestion: Mapping[str, float]  # initial weights of the tasks; empty where there is nothing to compare
    shared_numbers: int

    @property
    def norms(self) -> dict[str, float]:
        """The gradients' norms by all shared parameters."""
        return self._record(self.gramian).norms

    @property
    def cosines(self) -> Tensor | None:
        """Cosines [K, K] by all shared parameters; NaN where a gradient is zero."""
        return self._record(self.gramian).cosines

    @property
    def condition_number(self) -> float | None:
        """Largest over smallest singular value of the jacobian."""
        return self._record(self.gramian).condition_number

    def cosines_of(self, module: str) -> Tensor:
        """Cosines [K, K] by the shared parameters of one top-level module."""
        cosines = self._record(self.modules[module]).cosines
        assert cosines is not None
        return cosines

    def _record(self, gramian: Tensor | None) -> Record:
        nothing = torch.zeros((), device="cpu")
        return Record(0, self.names, nothing, nothing, None, gramian, "")

    def __str__(self) -> str:
        return _page(self)

    def __repr__(self) -> str:
        return f"<Report of {len(self.names)} tasks, {len(self.findings)} findings>"


def _page(report: Report) -> str:
    """All sections, those without content left out."""
    title = f"One step of {len(report.names)} tasks, balanced by {report.method}"
    sections = [
        ("Who reaches which parameters", _reach(report)),
        ("Losses, and gradients by the shared parameters", _tasks(report)),
        ("Parts of the losses", _parts(report)),
        ("Cosines between the tasks' gradients", _cosines(report)),
        ("What a backward costs, by route", _costs(report)),
        ("Findings", numbered(report.findings, _WIDTH)),
        ("Suggested starting weights", _suggestion(report)),
    ]
    parts = [textwrap.fill(title, _WIDTH)]
    parts += [f"{name}\n{'-' * len(name)}\n" + "\n".join(lines) for name, lines in sections if lines]
    return "\n\n".join(parts)


def _reach(report: Report) -> list[str]:
    return table(
        ["", "numbers", "reached by", ""], [[r.name, f"{r.numbers:,}", *_fate(r, report)] for r in report.reach]
    )


def _fate(reach: ParameterReach, report: Report) -> list[str]:
    if reach.frozen:
        return ["frozen", ""]
    who = "no loss" if not reach.tasks else "all tasks" if reach.tasks == report.names else ", ".join(reach.tasks)
    if reach.tasks == report.names and len(report.names) == 1:
        who = report.names[0]
    notes = ["in no optimiser"] if reach.held is False else []
    notes += [] if reach.given else ["not given to the balancer"]
    return [textwrap.shorten(who, 40, placeholder=" ..."), ", ".join(notes)]


def _tasks(report: Report) -> list[str]:
    norms = report.norms
    head = ["task", "loss", "weight", "norm", "norm, own part", "effective weight"]
    rows = [
        [
            name,
            _number(report.losses[name]),
            _number(report.user_weights[name]),
            _number(norms.get(name)),
            _number(report.own_norms[name]),
            _number(report.weights.get(name)),
        ]
        for name in report.names
    ]
    lines = table(head, rows)
    if report.absent:
        lines.append(f"absent: {', '.join(report.absent)}")
    if report.condition_number is not None:
        lines.append(f"condition number {report.condition_number:.3g}")
    return lines


def _parts(report: Report) -> list[str]:
    rows = [
        [
            part.task,
            part.name,
            _number(part.norm),
            "-" if part.cosine != part.cosine else f"{part.cosine:.2f}",
            part.against,
        ]
        for part in report.parts
    ]
    return table(["task", "part", "norm", "lowest cosine", "with"], rows)


def _cosines(report: Report) -> list[str]:
    cosines = report.cosines
    if cosines is None or len(report.names) < 2:
        return []
    lines = []
    if len(report.names) <= _MANY:
        short = [textwrap.shorten(name, 9, placeholder="") or name[:9] for name in report.names]
        rows = [
            [name, *(f"{value:.2f}" for value in row)] for name, row in zip(report.names, cosines.tolist(), strict=True)
        ]
        lines += [*table(["", *short], rows), ""]
    modules = [("everything shared", cosines), *((name, report.cosines_of(name)) for name in report.modules)]
    rows = [[name, *_lowest(matrix, report.names)] for name, matrix in modules]
    return lines + table(["", "mean", "lowest", "between"], rows)


def _lowest(cosines: Tensor, names: Sequence[str]) -> list[str]:
    pairs = [(float(cosines[i, j]), i, j) for j in range(len(names)) for i in range(j)]
    numbers = [pair for pair in pairs if pair[0] == pair[0]]
    if not numbers:
        return ["-", "-", ""]
    value, i, j = min(numbers)
    mean = sum(pair[0] for pair in numbers) / len(numbers)
    return [f"{mean:.2f}", f"{value:.2f}", f"{names[i]}, {names[j]}"]


def _costs(report: Report) -> list[str]:
    timed = any(cost.milliseconds is not None for cost in report.costs)
    head = ["route", "backward passes", "operations", "memory", *(["ms"] if timed else [])]
    rows = []
    for cost in report.costs:
        row = [cost.route, cost.passes, _count(cost.operations), _bytes(cost.memory)]
        rows.append(row + ([_number(cost.milliseconds)] if timed else []))
    lines = table(head, rows)
    lines += [textwrap.shorten(f"{c.route}: {c.refused}", _WIDTH) for c in report.costs if c.refused]
    what = f"{len(report.names)} tasks, {report.shared_numbers:,} shared numbers"
    lines += textwrap.wrap(f"{what}; operations are multiply-adds at layers that have factors", _WIDTH)
    return lines


def _suggestion(report: Report) -> list[str]:
    if not report.suggestion:
        return []
    weights = "{" + ", ".join(f"{name!r}: {value:.2g}" for name, value in report.suggestion.items()) + "}"
    text = (
        "Tune fixed weights first: they cost nothing, and a method has to beat them. A start, by one over the norms "
        f"above, of this one batch: tasks={weights}. Each task then moves what is shared equally far; look at several "
        "batches before you trust it."
    )
    return textwrap.wrap(text, _WIDTH)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _count(value: float) -> str:
    return "-" if value == 0 else f"{value:,.0f}"


def _bytes(value: int) -> str:
    size = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.3g} {unit}"
