"""Which methods a study compares with which: together these are its one family of comparisons."""

from collections.abc import Sequence
from typing import Literal

from equipoise.lab.arms import TUNED, StudyArm, parse_arm
from equipoise.lab.evaluation.metric import BASELINES, Baselines

Question = Literal["", "sharing", "tuned", "freeze", "losses"]  # "" is a study that asks everything


def pairs_of(
    arms: Sequence[StudyArm], question: Question = "", baselines: Baselines = BASELINES
) -> list[tuple[StudyArm, StudyArm]]:
    """(arm, the other) of a study; a study with one question makes its comparisons and no others.

    >>> pairs = pairs_of([*map(parse_arm, ("single-task", "sum", "uw", "tuned"))], "tuned")
    >>> [f"{arm} to {other}" for arm, other in pairs]
    ['sum to tuned', 'uw to tuned']
    """
    reference, alone = parse_arm(baselines.reference), parse_arm(baselines.single_task)
    trained = [arm for arm in arms if arm != alone]
    to_tuned: list[tuple[StudyArm, StudyArm]] = [(arm, TUNED) for arm in trained if arm != TUNED and TUNED in arms]
    to_source = [(arm, arm.source) for arm in arms if arm.source is not None and arm.source in arms]
    if question == "sharing":
        return [(reference, alone)]
    if question == "tuned":
        return to_tuned
    if question == "freeze":
        return to_source
    if question == "losses":
        return [(arm, reference) for arm in arms if arm.losses]
    return [
        *((arm, reference) for arm in trained if arm != reference),
        *((arm, alone) for arm in trained),
        *(pair for pair in to_tuned if pair[0] != reference),  # tuned to sum is there already
        *to_source,
    ]
