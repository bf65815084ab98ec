"""Which methods a study compares with which: together these are its one family of comparisons."""

from collections.abc import Sequence
from typing import Literal

from equipoise.lab.evaluation.metric import BASELINES, TUNED, Baselines, losses_of, source_of

Question = Literal["", "sharing", "tuned", "freeze", "losses"]  # "" is a study that asks everything


def pairs_of(names: Sequence[str], question: Question = "", baselines: Baselines = BASELINES) -> list[tuple[str, str]]:
    """(method, the other) for the methods of a study; a study with one question makes its comparisons and no others.

    >>> pairs_of(["single-task", "sum", "uw", "tuned"], "tuned")
    [('sum', 'tuned'), ('uw', 'tuned')]
    """
    reference, single_task = baselines.reference, baselines.single_task
    balancings = [name for name in names if name != single_task]
    to_tuned = [(name, TUNED) for name in balancings if name != TUNED and TUNED in names]
    to_source = [(name, source) for name in names if (source := source_of(name)) in names and source is not None]
    if question == "sharing":
        return [(reference, single_task)]
    if question == "tuned":
        return to_tuned
    if question == "freeze":
        return to_source
    if question == "losses":
        return [(name, reference) for name in names if losses_of(name)]
    return [
        *((name, reference) for name in balancings if name != reference),
        *((name, single_task) for name in balancings),
        *(pair for pair in to_tuned if pair[0] != reference),  # tuned to sum is there already
        *to_source,
    ]
