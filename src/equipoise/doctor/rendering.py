"""One step examined, as plain text, 88 columns wide."""

import re
import textwrap
from collections.abc import Iterable, Sequence

from torch import Tensor

from equipoise.doctor.examined import Examined, ParameterReach

_WIDTH = 88
_NUMBER = re.compile(r"-?[\d.,e+-]*( [kMG]?B)?|nan|-?inf")
_MANY = 8  # tasks from which on a matrix of cosines is no longer a page's width


def page_of(report: Examined) -> str:
    """All sections, those without content left out."""
    title = f"One step of {len(report.names)} tasks, balanced by {report.method}"
    sections = [
        ("Who reaches which parameters", _reach(report)),
        ("Losses, and gradients by the shared parameters", _tasks(report)),
        ("Cosines between the tasks' gradients", _cosines(report)),
        ("What a backward costs, by route", _costs(report)),
        ("Findings", _numbered(report.findings)),
        ("Suggested starting weights", _suggestion(report)),
    ]
    parts = [textwrap.fill(title, _WIDTH)]
    parts += [f"{name}\n{'-' * len(name)}\n" + "\n".join(lines) for name, lines in sections if lines]
    return "\n\n".join(parts)


def _reach(report: Examined) -> list[str]:
    return _table(
        ["", "numbers", "reached by", ""], [[r.name, f"{r.numbers:,}", *_fate(r, report)] for r in report.reach]
    )


def _fate(reach: ParameterReach, report: Examined) -> list[str]:
    if reach.frozen:
        return ["frozen", ""]
    who = "no loss" if not reach.tasks else "all tasks" if reach.tasks == report.names else ", ".join(reach.tasks)
    if reach.tasks == report.names and len(report.names) == 1:
        who = report.names[0]
    notes = ["in no optimiser"] if reach.held is False else []
    notes += [] if reach.given else ["not given to the balancer"]
    return [textwrap.shorten(who, 40, placeholder=" ..."), ", ".join(notes)]


def _tasks(report: Examined) -> list[str]:
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
    lines = _table(head, rows)
    if report.absent:
        lines.append(f"absent: {', '.join(report.absent)}")
    if report.condition_number is not None:
        lines.append(f"condition number {report.condition_number:.3g}")
    return lines


def _cosines(report: Examined) -> list[str]:
    cosines = report.cosines
    if cosines is None or len(report.names) < 2:
        return []
    lines = []
    if len(report.names) <= _MANY:
        short = [textwrap.shorten(name, 9, placeholder="") or name[:9] for name in report.names]
        rows = [
            [name, *(f"{value:.2f}" for value in row)] for name, row in zip(report.names, cosines.tolist(), strict=True)
        ]
        lines += [*_table(["", *short], rows), ""]
    modules = [("everything shared", cosines), *((name, report.cosines_of(name)) for name in report.modules)]
    rows = [[name, *_lowest(matrix, report.names)] for name, matrix in modules]
    return lines + _table(["", "mean", "lowest", "between"], rows)


def _lowest(cosines: Tensor, names: Sequence[str]) -> list[str]:
    pairs = [(float(cosines[i, j]), i, j) for j in range(len(names)) for i in range(j)]
    numbers = [pair for pair in pairs if pair[0] == pair[0]]
    if not numbers:
        return ["-", "-", ""]
    value, i, j = min(numbers)
    mean = sum(pair[0] for pair in numbers) / len(numbers)
    return [f"{mean:.2f}", f"{value:.2f}", f"{names[i]}, {names[j]}"]


def _costs(report: Examined) -> list[str]:
    timed = any(cost.milliseconds is not None for cost in report.costs)
    head = ["route", "backward passes", "operations", "memory", *(["ms"] if timed else [])]
    rows = []
    for cost in report.costs:
        row = [cost.route, cost.passes, _count(cost.operations), _bytes(cost.memory)]
        rows.append(row + ([_number(cost.milliseconds)] if timed else []))
    lines = _table(head, rows)
    lines += [textwrap.shorten(f"{c.route}: {c.refused}", _WIDTH) for c in report.costs if c.refused]
    what = f"{len(report.names)} tasks, {report.shared_numbers:,} shared numbers"
    lines += textwrap.wrap(f"{what}; operations are multiply-adds at layers that have factors", _WIDTH)
    return lines


def _suggestion(report: Examined) -> list[str]:
    if not report.suggestion:
        return []
    weights = "{" + ", ".join(f"{name!r}: {value:.2g}" for name, value in report.suggestion.items()) + "}"
    text = (
        "Tune fixed weights first: they cost nothing, and a method has to beat them. A start, by one over the norms "
        f"above, of this one batch: tasks={weights}. Each task then moves what is shared equally far; look at several "
        "batches before you trust it."
    )
    return textwrap.wrap(text, _WIDTH)


def _numbered(findings: Iterable[str]) -> list[str]:
    lines: list[str] = []
    for i, finding in enumerate(findings, 1):
        start = f"{i}. "
        lines += textwrap.wrap(finding, _WIDTH, initial_indent=start, subsequent_indent=" " * len(start))
    return lines


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their longest cell; numbers to the right, words to the left."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    right = [all(_NUMBER.fullmatch(row[i]) for row in rows) for i in range(len(head))]
    return [
        "  ".join(f"{c:>{w}}" if r else f"{c:<{w}}" for c, w, r in zip(row, widths, right, strict=True)).rstrip()
        for row in [head, *rows]
    ]


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
