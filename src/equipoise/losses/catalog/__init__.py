"""The catalogue: every loss with what it is for, torch's own included."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from torch import nn

from equipoise.losses.catalog import classification, composition, embeddings, generation, numbers, pytorch, regions
from equipoise.losses.catalog.aliases import LOSS_ALIASES
from equipoise.losses.catalog.row import CONDITIONS, TASK_KINDS, LossRow
from equipoise.names import key_of, nearest

__all__ = [
    "CONDITIONS",
    "LOSS_ALIASES",
    "ROWS",
    "TASK_KINDS",
    "LossRow",
    "Match",
    "find_kind",
    "find_losses",
    "narrowed",
]

_FAMILIES = (pytorch, classification, numbers, regions, embeddings, generation, composition)

_ALL = tuple(row for family in _FAMILIES for row in family.ROWS)

ROWS = tuple(row for row in _ALL if not row.code.startswith("nn.") or hasattr(nn, row.name))  # this PyTorch has them

_HOMES = {  # what may stand before a name in code, and how the lines to paste of these losses begin
    r"(?:torch\.)?nn\.(?:functional\.)?|F\.": ("nn.",),
    r"(?:(?:eq|equipoise)\.)?losses\.": ("eq.losses.", "torch.nn."),
}


def _rows_by_key() -> Mapping[str, tuple[LossRow, ...]]:
    """By name, by the class in the line to paste, both with and without "loss" at the end; aliases before these."""
    names = {row.name for row in ROWS}
    found: dict[str, tuple[LossRow, ...]] = {}
    for row in ROWS:
        made = re.match(r"eq\.losses\.(\w+)", row.code)
        own = [row.name, *([made[1]] if made and made[1] not in names else [])]
        for key in dict.fromkeys(key_of(name) for name in own):
            found[key] = (*found.get(key, ()), row)
    by_name = {row.name: row for row in ROWS}
    for alias, aliased in LOSS_ALIASES.items():
        found[alias] = tuple(by_name[name] for name in aliased)
    for key, rows in list(found.items()):
        for end in ("loss", "损失"):
            found.setdefault(key.removesuffix(end) if key.endswith(end) else f"{key}{end}", rows)
    return found


_BY_KEY = _rows_by_key()
_KIND_BY_KEY = {key_of(word): name for name, kind in TASK_KINDS.items() for word in (name, *kind.also.split(", "))}


def find_losses(name: str) -> tuple[LossRow, ...]:
    """The rows that a name means, the likeliest first: as in code, as ``--loss`` takes it, or as people say.

    A name that begins as in code, ``nn.`` or ``eq.losses.``, means the rows from there alone, if there are any.

    Raises:
        ValueError: If there is no such loss; the message names the nearest.

    >>> [row.name for row in find_losses("nn.CrossEntropyLoss")], [row.name for row in find_losses("mae")]
    (['CrossEntropyLoss'], ['L1Loss'])
    """
    word = name.strip().partition("(")[0]
    for written, lines in _HOMES.items():
        if (head := re.match(written, word)) is not None:
            rows = _BY_KEY.get(key_of(word[head.end() :]), ())
            found = tuple(row for row in rows if row.code.startswith(lines)) or rows
            break
    else:
        found = _BY_KEY.get(key_of(word), ())
    if not found:
        known = [*(row.name for row in ROWS), *LOSS_ALIASES]
        raise ValueError(f"no loss {name!r}; {nearest(name, known, 'equipoise losses')}")
    return found


def find_kind(name: str) -> str:
    """The kind of task that a name means: one of ``TASK_KINDS`` in any spelling, or as people say.

    Raises:
        ValueError: If there is no such kind; the message names the nearest.

    >>> find_kind("multilabel"), find_kind("detection")
    ('multilabel', 'boxes')
    """
    kind = _KIND_BY_KEY.get(key_of(name))
    if kind is None:
        raise ValueError(f"no kind of task {name!r}; {nearest(name, TASK_KINDS)}")
    return kind


@dataclass(frozen=True)
class Match:
    """A row, and why it is offered."""

    row: LossRow
    reasons: tuple[str, ...]


def narrowed(kind: str | None = None, conditions: Collection[str] = ()) -> list[Match]:
    """The rows for a kind of task under some conditions, the likeliest first.

    A row is offered if it answers one of the conditions; the plain loss of the kind is always there, to compare with.
    Rows that answer more conditions come first; among equals, those that were made for this kind. Without conditions,
    the plain loss is first, and all others of its kind follow. A kind is as ``find_kind`` takes it.

    Raises:
        ValueError: If there is no such kind or condition.

    >>> [match.row.name for match in narrowed("multilabel", ["imbalanced"])][-1]
    'BCEWithLogitsLoss'
    """
    kind = None if kind is None else find_kind(kind)
    for name in conditions:
        if name not in CONDITIONS:
            raise ValueError(f"no condition {name!r}; {nearest(name, CONDITIONS)}")
    offered = []
    for row in ROWS:
        met = [condition for condition in CONDITIONS if condition in conditions and condition in row.suits]
        plain = kind is not None and row.name == TASK_KINDS[kind].plain
        of_kind = kind is None or kind in row.kinds or (met and "any" in row.kinds)
        if of_kind and (met or plain or not conditions):
            rank = (-len(met), plain, _place(row, kind)) if conditions else (not plain,)
            offered.append((rank, Match(row, _reasons(row, kind, met if conditions else row.suits, plain))))
    return [match for _, match in sorted(offered, key=lambda pair: pair[0])]


def _place(row: LossRow, kind: str | None) -> int:
    """Of a kind among those of a row; behind them all for a wrapper of any loss."""
    return row.kinds.index(kind) if kind in row.kinds else len(TASK_KINDS)


def _reasons(row: LossRow, kind: str | None, met: Iterable[str], plain: bool) -> tuple[str, ...]:
    """Of the conditions, then of its kind."""
    reasons = [f"it helps when {CONDITIONS[condition]}" for condition in met]
    if plain:
        reasons.append("the plain loss, which every other has to beat")
    elif row.kinds == (kind,) and kind != "any":
        reasons.append(f"made for {kind} alone")
    elif kind and kind not in row.kinds:
        reasons.append("goes around or beside any loss")
    return tuple(reasons)
