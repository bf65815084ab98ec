"""The shelf in words: every loss with what it is for, torch's own included."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from equipoise.losses.catalog import (
    adversarial,
    alignment,
    boundary,
    boxes,
    centres,
    composition,
    contrastive,
    depth,
    distillation,
    focal,
    hinge,
    imbalance,
    lovasz,
    multi_label,
    noise,
    ordinal,
    redundancy,
    regions,
    regression,
    regularisation,
    reinforcement,
    robust,
    schedules,
    sequences,
    survival,
    torch,
    triplet,
    variational,
)
from equipoise.losses.catalog.row import CONDITIONS, KINDS, PLAIN, Row
from equipoise.tasks import nearest

__all__ = ["CONDITIONS", "KINDS", "PLAIN", "ROWS", "Match", "Row", "narrowed"]

_FAMILIES = (
    torch,
    imbalance,
    noise,
    multi_label,
    focal,
    hinge,
    ordinal,
    regression,
    robust,
    depth,
    survival,
    regions,
    lovasz,
    boundary,
    boxes,
    centres,
    sequences,
    alignment,
    triplet,
    contrastive,
    redundancy,
    distillation,
    adversarial,
    variational,
    reinforcement,
    composition,
    regularisation,
    schedules,
)

ROWS: tuple[Row, ...] = tuple(row for family in _FAMILIES for row in family.ROWS)


@dataclass(frozen=True)
class Match:
    """A row, and why it is offered."""

    row: Row
    reasons: tuple[str, ...]


def narrowed(kind: str | None = None, conditions: Collection[str] = ()) -> list[Match]:
    """The rows for a kind of task under some conditions, the likeliest first.

    A row is offered if it answers one of the conditions; the plain loss of the kind is always there, to compare with.
    Rows that answer more conditions come first; among equals, those that were made for this kind. Without conditions,
    the plain loss is first, and all others of its kind follow.

    Raises:
        ValueError: If there is no such kind or condition.

    >>> [match.row.name for match in narrowed("multi-label", ["imbalanced"])][-1]
    'BCEWithLogitsLoss'
    """
    for names, valid, word in (([kind] if kind else [], KINDS, "kind of task"), (conditions, CONDITIONS, "condition")):
        for name in names:
            if name not in valid:
                raise ValueError(f"no {word} {name!r}; {nearest(name, valid)}")
    offered = []
    for row in ROWS:
        met = [condition for condition in CONDITIONS if condition in conditions and condition in row.suits]
        plain = kind is not None and row.name == PLAIN.get(kind)
        of_kind = kind is None or kind in row.kinds or (met and "any" in row.kinds)
        if of_kind and (met or plain or not conditions):
            rank = (-len(met), plain, _place(row, kind)) if conditions else (not plain,)
            offered.append((rank, Match(row, _reasons(row, kind, met if conditions else row.suits, plain))))
    return [match for _, match in sorted(offered, key=lambda pair: pair[0])]


def _place(row: Row, kind: str | None) -> int:
    """Of a kind among those of a row; behind them all for a wrapper of any loss."""
    return row.kinds.index(kind) if kind in row.kinds else len(KINDS)


def _reasons(row: Row, kind: str | None, met: Iterable[str], plain: bool) -> tuple[str, ...]:
    """Of the conditions, then of its kind."""
    reasons = [f"it helps when {CONDITIONS[condition]}" for condition in met]
    if plain:
        reasons.append("the plain loss, which every other has to beat")
    elif row.kinds == (kind,) and kind != "any":
        reasons.append(f"made for {kind} alone")
    elif kind and kind not in row.kinds:
        reasons.append("goes around or beside any loss")
    return tuple(reasons)
