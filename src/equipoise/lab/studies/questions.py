"""The questions that a study can be about, the arms that each needs, and whether arms and seeds can be run."""

from collections.abc import Sequence
from typing import get_args

from equipoise.chain import split
from equipoise.lab.arms import SINGLE_TASK, SUM, TUNED, FrozenArm, LossArm, MethodArm, StudyArm, parse_arm
from equipoise.lab.cases import Case, own_loss, with_losses
from equipoise.lab.evaluation import Question
from equipoise.names import nearest

QUESTIONS = {
    "sharing": "does one network for all tasks help, against one for each?",
    "tuned": "does any method beat tuned fixed weights?",
    "freeze": "does the schedule of a method's weights matter, or only where it ends?",
    "losses": "does another loss do better than the case's own?",
}


def find_question(name: str) -> Question:
    """The question of a name; "" for none.

    Raises:
        ValueError: If there is no such question; the message names the nearest.
    """
    for question in get_args(Question):
        if name == question:
            found: Question = question
            return found
    raise ValueError(f"unknown question {name!r}; {nearest(name, QUESTIONS)}")


def arms_for(question: Question, arms: tuple[StudyArm, ...], tuned_trials: int) -> tuple[StudyArm, ...]:
    """The arms of a study: those asked for, with what the question and the search for fixed weights add.

    >>> from equipoise.lab.arms import MethodArm
    >>> [str(arm) for arm in arms_for("freeze", (MethodArm("uw"),), 0)]
    ['sum', 'uw', 'frozen-uw']

    Raises:
        ValueError: If the question cannot be answered by these.
    """
    if tuned_trials < 0:
        raise ValueError(f"tuned_trials must be at least 0, got {tuned_trials}")
    if TUNED in arms:
        raise ValueError(f"{TUNED} is made by a search: leave it out of the methods, and give tuned_trials")
    if question == "sharing" and set(arms) - {SUM}:
        raise ValueError(f"question sharing trains {SUM} only: leave out the other methods")
    if question == "tuned" and not tuned_trials:
        raise ValueError("question tuned needs tuned_trials of at least 1")
    if question == "losses":
        if tuned_trials:
            raise ValueError("question losses compares losses with the plain sum only: leave out tuned_trials")
        if others := [arm for arm in arms if arm != SUM and not arm.losses]:
            raise ValueError(
                f"question losses compares losses, such as mask=dice, and {others[0]} is none: leave it out"
            )
    if question and SUM not in arms:
        arms = (SUM, *arms)
    if question == "freeze":
        sources = [arm for arm in arms if arm != SUM and arm.source is None]
        if not sources:
            raise ValueError("question freeze needs a method, such as uw")
        if plain := [arm for arm in sources if arm.losses]:
            raise ValueError(
                f"{plain[0]} is the plain sum with another loss: its weights are 1, so there is nothing to freeze"
            )
        arms = (SUM, *(arm for source in sources for arm in (source, FrozenArm(source))))
    return (*arms, *((TUNED,) if tuned_trials else ()))


def require_runs(arms: Sequence[StudyArm], seeds: Sequence[int]) -> None:
    """Raise if there is nothing to run, if something is named twice, or if an arm or a seed cannot be run.

    Raises:
        ValueError: So it is; the message names it.
    """
    if not arms or not seeds:
        raise ValueError(f"a study needs a method and a seed, got methods {[*map(str, arms)]} and seeds {seeds}")
    for what, values in (("method", arms), ("seed", seeds)):
        for value in values:
            if values.count(value) > 1:
                raise ValueError(f"{what} {value} is named twice")
    if SINGLE_TASK in arms:
        raise ValueError(f"{SINGLE_TASK} is part of every study: leave it out of the methods")
    for arm in arms:
        if arm.source is not None:
            _require_freezable(arm, arms)
        elif isinstance(arm, MethodArm):
            arm.require_trainable()
    if min(seeds) < 0:
        raise ValueError(f"seeds must not be negative, got {min(seeds)}")


def _require_freezable(arm: StudyArm, arms: Sequence[StudyArm]) -> None:
    """Raise a ValueError for frozen weights of what is not trained beside them, or decides none per task."""
    source = arm.source
    if source not in arms:
        raise ValueError(f"{arm} takes its weights from {source}: add it to the methods")
    if not (isinstance(source, MethodArm) and split(source.make()).decides_weights):
        raise ValueError(f"{source} decides no one weight for each task, so there is none to freeze")


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
    """The losses of each arm that has others, by task, with every argument.

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
        described = {task: str(own_loss(made, task)) for task in arm.losses}
        for task, loss in arm.pairs:
            if task in case.losses and described[task] == str(own_loss(case, task)):
                raise ValueError(f"{arm}: {loss} is the case's own loss of {task!r}, which sum has: leave it out")
        if same := [other for other in found if found[other] == described]:
            raise ValueError(f"{arm} and {same[0]} are the same losses: leave one out")
        found[str(arm)] = described
    return found
