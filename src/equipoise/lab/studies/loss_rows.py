"""Arms that are the plain sum with other losses than the case's own."""

from collections.abc import Sequence

from equipoise.lab.arms import LossArm, StudyArm, parse_arm
from equipoise.lab.cases import Case, describe_loss, with_losses


def one_at_a_time(case: Case) -> tuple[LossArm, ...]:
    """An arm for every loss that the case knows and does not have.

    Raises:
        ValueError: If there is none, or a task's name cannot be told from a choice of losses.
    """
    arms = tuple(LossArm(((task, name),)) for task, known in case.losses.items() for name in list(known)[1:])
    for arm in arms:
        if parse_arm(str(arm)) != arm:
            raise ValueError(f"task {arm.pairs[0][0]!r} reads as a choice of losses: give it a name without =")
    if not arms:
        raise ValueError(f"case {case.name} knows no losses but its own: write them into Case(losses=...)")
    return arms


def losses_by_arm(case: Case, arms: Sequence[StudyArm]) -> dict[str, dict[str, str]]:
    """The losses of each arm that has others, by task, with every argument, as ``describe_loss`` tells them.

    Raises:
        ValueError: If the case has no such task or loss, or an arm has what the case has, or what another arm has.
    """
    found: dict[str, dict[str, str]] = {}
    for arm in arms:
        if not isinstance(arm, LossArm):
            continue
        if len(arm.losses) < len(arm.pairs):
            raise ValueError(f"{arm} gives a task two losses: leave one out")
        made = with_losses(case, arm.losses)
        described = {task: describe_loss(made, task) for task in arm.losses}
        for task, loss in arm.pairs:
            if task in case.losses and described[task] == describe_loss(case, task):
                raise ValueError(f"{arm}: {loss} is the case's own loss of {task!r}, which sum has: leave it out")
        if same := [other for other in found if found[other] == described]:
            raise ValueError(f"{arm} and {same[0]} are the same losses: leave one out")
        found[str(arm)] = described
    return found
