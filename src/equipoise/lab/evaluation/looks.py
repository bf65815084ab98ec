"""Looking at a study more than once: what it does to verdicts, and how planned looks share the 5 %.

Lan and DeMets, Discrete sequential boundaries for clinical trials, 1983: the share spent until a part t of the seeds
is α(t) = 2 - 2 Φ(z(1 - α/2) / sqrt(t)), of O'Brien and Fleming's type: little at first, most at the end. Each look
tests at what is spent between it and the look before, alone; that these sum to 5 % bounds the chance of a wrong verdict
at any of them, whatever the rule to stop.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import ceil, sqrt
from typing import Any

from scipy.special import ndtr, ndtri

from equipoise.lab.evaluation.numbers import listing
from equipoise.lab.evaluation.statistics import FEWEST, LEVEL


def planned_looks(seeds: int, looks: int) -> tuple[int, ...]:
    """After how many seeds to look: equal shares, rounded up.

    Raises:
        ValueError: There are fewer than two looks, or the first would have fewer than 3 seeds.

    >>> planned_looks(20, 3), planned_looks(9, 3)
    ((7, 14, 20), (3, 6, 9))
    """
    if looks < 2 or ceil(seeds / max(looks, 1)) < FEWEST:
        raise ValueError(
            f"looks must be 2 or more, the first after at least {FEWEST} seeds; got {looks} looks at {seeds} seeds: "
            "ask for fewer looks or more seeds, such as 3 looks at 20 seeds"
        )
    return tuple(ceil(seeds * look / looks) for look in range(1, looks + 1))


def levels(at: Sequence[int]) -> tuple[float, ...]:
    """The level of each look; together 5 %.

    >>> [round(level, 4) for level in levels((7, 14, 20))]
    [0.0009, 0.0182, 0.0309]
    """
    z = float(ndtri(1 - LEVEL / 2))
    spent = [0.0, *(2 - 2 * float(ndtr(z / sqrt(seeds / at[-1]))) for seeds in at)]
    return tuple(after - before for before, after in pairwise(spent))


def level_of(study: Mapping[str, Any]) -> float:
    """The level of a study's verdicts: 5 %, or the share of the planned look that it is at; 0 between two of them."""
    at = study.get("planned_looks", [])
    if not at:
        return LEVEL
    now = len(study["seeds"])
    return dict(zip(at, levels(at), strict=True)).get(now, 0.0) if study["complete"] else 0.0


def look_notes(study: Mapping[str, Any]) -> list[str]:
    """What was looked at before, what was left out after a look, and what that does to the verdicts."""
    return [*_plan(study), *after_looking(study)]


def after_looking(study: Mapping[str, Any]) -> list[str]:
    """What was looked at before, and what was left out after a look."""
    return [*_forgotten(study), *_left_out(study), *_looks(study)]


def _forgotten(study: Mapping[str, Any]) -> list[str]:
    if not study.get("made_anew"):
        return []
    return [
        "study.json was missing beside finished runs and was made anew: looks before that, and what was left out after "
        "them, are not known, and verdicts may mean less than they say."
    ]


def _plan(study: Mapping[str, Any]) -> list[str]:
    at = study.get("planned_looks", [])
    if not at:
        return []
    level, shares = level_of(study), levels(at)
    where = ", ".join(f"{seeds} seeds ({100 * share:.2g} %)" for seeds, share in zip(at, shares, strict=True))
    if not level:
        which = "runs are missing at this one" if len(study["seeds"]) in at else "the study is between two of them"
        return [f"Looks were planned at {where}; {which}: no difference is called significant."]
    return [
        f"Look {at.index(len(study['seeds'])) + 1} of {len(at)} planned, at {where}: verdicts are at this look's "
        "share, and together at 5 %. Adjusted p-values are in units of that share."
    ]


def _left_out(study: Mapping[str, Any]) -> list[str]:
    left = study.get("left_out", {})
    words = [
        f"{kind[:-1] if len(names) == 1 else kind} {listing([str(name) for name in names])}"
        for kind in ("methods", "seeds")
        if (names := left.get(kind))
    ]
    if not words:
        return []
    methods = [str(name) for name in left.get("methods", ()) if name in study["methods"]]
    back = [*methods, *(f"seed {seed}" for seed in left.get("seeds", ()) if seed in study["seeds"])]
    again = f" ({listing(back)} taken in again)" if back else ""
    return [
        f"Left out after runs were finished: {listing(words)}{again}. A choice made after looking changes what "
        "verdicts mean: their 5 % holds for what was asked before."
    ]


def _looks(study: Mapping[str, Any]) -> list[str]:
    looks = study.get("looks", [])
    if len(looks) < 2:
        return []
    counts = list(dict.fromkeys(len(look["seeds"]) for look in looks))
    over = f" ({listing([str(count) for count in counts])} seeds)" if len(counts) > 1 else ""
    if study.get("planned_looks"):
        return _beside_the_plan(looks, study["planned_looks"])
    return [
        f"Look {len(looks)} at this study{over}. To look, add seeds and look again makes chance look like a finding: "
        "where three methods do not differ on a task, one look at 3 seeds says that they do in 3 % of studies, a "
        "look after each seed from 3 to 20 in 19 %, and more where there are more methods. To look more than once, "
        "plan the looks before, such as 3 looks at 20 seeds."
    ]


def _beside_the_plan(looks: Sequence[Mapping[str, Any]], at: Sequence[int]) -> list[str]:
    """Looks at other numbers of seeds, and other methods or seeds at a planned number of them."""
    counts = list(dict.fromkeys(len(look["seeds"]) for look in looks))
    unplanned = [count for count in counts if count not in at]
    notes = [f"Looks at other numbers of seeds than planned: {unplanned}."] if unplanned else []
    asked: dict[int, set[tuple[tuple[str, ...], tuple[int, ...]]]] = {}
    for look in looks:
        asked.setdefault(len(look["seeds"]), set()).add((tuple(sorted(look["methods"])), tuple(sorted(look["seeds"]))))
    again = [f"{len(asked[n])} in place of 1 at {n} seeds" for n in counts if n in at and len(asked[n]) > 1]
    if again:
        notes.append(
            f"Planned looks at other methods or seeds than at first: {listing(again)}. Each is one more chance to be "
            "wrong, so the looks together are above 5 %."
        )
    return notes
