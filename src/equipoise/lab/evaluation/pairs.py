"""Which methods a study compares with which: together these are its one family of comparisons."""

from collections.abc import Sequence
from typing import Literal

from equipoise.lab.arms import SINGLE_TASK, SUM, TUNED, StudyArm

Question = Literal["", "sharing", "tuned", "freeze", "losses"]  # "" is a study that asks everything


def pairs_of(arms: Sequence[StudyArm], question: Question = "") -> list[tuple[StudyArm, StudyArm]]:
    """(arm, the other) of a study; a study with one question makes its comparisons and no others.

    >>> from equipoise.lab.arms import MethodArm
    >>> pairs = pairs_of([SINGLE_TASK, SUM, MethodArm("uw"), TUNED], "tuned")
    >>> [f"{arm} to {other}" for arm, other in pairs]
    ['sum to tuned', 'uw to tuned']
    """
    trained = [arm for arm in arms if arm != SINGLE_TASK]
    to_tuned = [(arm, TUNED) for arm in trained if arm != TUNED and TUNED in arms]
    to_source = [(arm, arm.source) for arm in arms if arm.source is not None and arm.source in arms]
    if question == "sharing":
        return [(SUM, SINGLE_TASK)]
    if question == "tuned":
        return [*to_tuned]
    if question == "freeze":
        return to_source
    if question == "losses":
        return [(arm, SUM) for arm in arms if arm.losses]
    return [
        *((arm, SUM) for arm in trained if arm != SUM),
        *((arm, SINGLE_TASK) for arm in trained),
        *(pair for pair in to_tuned if pair[0] != SUM),  # tuned to sum is there already
        *to_source,
    ]
