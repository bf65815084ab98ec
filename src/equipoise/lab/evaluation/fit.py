"""Whether runs were trained long enough, and not too long: by the losses of a task, and by a run's validation skill."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Literal, NamedTuple

from equipoise.lab.evaluation.metric import TaskMetric
from equipoise.lab.evaluation.study import Curve, StudyResults

Fit = Literal["over-fitting", "under-fitting", "neither", "not judged"]

FEWEST_EPOCHS = 3
RISE, FALL = 0.1, 0.02  # shares of a curve's range, its largest value minus its least
MORE, LESS = (
    0.01,
    0.05,
)  # shares of a run's best skill: what more epochs would add, what every epoch after the best lacks
LEAST_SKILL = 0.1  # those shares are of no less: a run that has hardly learned is noisy beside its skill
BLOCKS = 12  # at most so many means stand for a curve
FIT_RULE = (
    f"Over-fitting: since its least value the validation loss has risen by more than {RISE:.0%} of its range (largest "
    "minus least value), while the training loss has fallen. Under-fitting: the last epoch that was allowed has the "
    f"least validation loss and the least training loss, and the validation loss fell by more than {FALL:.0%} of its "
    f"range in it, so more epochs would have helped. Fewer than {FEWEST_EPOCHS} epochs are not judged."
)
RUN_RULE = (
    "A run as a whole, by its validation skill (0: a constant prediction, 1: perfect): under-fitting, or still "
    f"improving, if half as many epochs again would add more than {MORE:.0%} of its skill, going by how the gain of "
    "its last third compares with that of the third before; over-fitting if its first epoch was the best, by "
    f"more than {LESS:.0%}, while the training losses fell. A run that patience stopped is not under-fitting."
)


class RunFit(NamedTuple):
    """The verdict on one run; ``task`` is ``all``, or the one task of a single-task network."""

    method: str
    seed: int
    task: str
    fit: Fit


@dataclass(frozen=True)
class RunFits:
    """The verdicts on all runs of a study, which allowed each so many epochs."""

    runs: tuple[RunFit, ...]
    epochs: int

    def mostly(self, fit: Fit) -> dict[str, int]:
        """By method, how many runs have a verdict, if more than half of those that are judged have it.

        Of single-task networks those of one task are judged together. One odd run among several is no finding: noise
        makes one in twenty look so.
        """
        found: dict[str, int] = {}
        for group in dict.fromkeys((run.method, run.task) for run in self.runs):
            judged: list[Fit] = [
                run.fit for run in self.runs if (run.method, run.task) == group and run.fit != "not judged"
            ]
            if judged.count(fit) > len(judged) / 2:
                found[group[0]] = found.get(group[0], 0) + judged.count(fit)
        return found

    @property
    def is_short(self) -> bool:
        """Whether so few epochs were allowed that no curve shows whether more would help."""
        return bool(self.runs) and self.epochs <= FEWEST_EPOCHS

    @property
    def judged(self) -> int:
        """How many runs have enough epochs for a verdict."""
        return sum(run.fit != "not judged" for run in self.runs)


def judge_run(skills: Mapping[int, float], losses: Sequence[Curve], epochs: int, *, decays: bool) -> Fit:
    """The verdict of ``RUN_RULE`` on one run.

    The curve is averaged to at most 12 means, of as many epochs each, so that noise of single epochs hardly counts.
    From the last of them, the one a third of them before and the one two thirds before follow the gains of the last and
    of the middle third, late and middle. If gains keep shrinking as they did, half as many epochs again add
    late · min(1, late / middle), or late where the middle third gained nothing. Where the learning rate decays, the
    last epochs gain because steps become small, however many epochs there are: no more is expected then than the
    middle third gained, unless the last third brought most of the skill. A gain counts only above twice the largest
    fall from one mean to the next in both thirds.

    Args:
        skills: On validation, by epoch: 1 is perfect, 0 a constant prediction.
        losses: Training loss by epoch, of each task.
        epochs: How many the run was allowed.
        decays: Whether the learning rate falls by a schedule.

    >>> judge_run({1: 0.3, 2: 0.5, 3: 0.6, 4: 0.65}, [], epochs=4, decays=False)
    'under-fitting'
    >>> judge_run({1: 0.3, 2: 0.5, 3: 0.51, 4: 0.511}, [], epochs=4, decays=False)
    'neither'
    """
    values = [skills[epoch] for epoch in sorted(skills)]
    if len(values) < FEWEST_EPOCHS:
        return "not judged"
    scale = max(*values, LEAST_SKILL)
    falling = all(curve[max(curve)] < curve[min(curve)] for curve in losses)
    if values[0] > 0 and values[0] - max(values[1:]) > LESS * scale and losses and falling:
        return "over-fitting"
    improving = max(skills) == epochs and _next_gain(values, decays=decays) > MORE * scale
    return "under-fitting" if improving else "neither"


def _next_gain(values: Sequence[float], *, decays: bool) -> float:
    """What half as many epochs again would add to the last of these values; 0 where noise may be all."""
    size = -(-len(values) // BLOCKS)
    means = [fmean(values[max(0, end - size) : end]) for end in range(len(values), 0, -size)][::-1]
    third = len(means) // 3
    tail = means[-2 * third - 1 :]
    late, middle = tail[-1] - tail[third], tail[third] - tail[0]
    if late <= 2 * max(before - after for before, after in pairwise(tail)) or late <= 0:
        return 0.0
    gain = late * min(1.0, late / middle) if middle > 0 else late
    return min(gain, middle) if decays and late < max(means) / 2 else gain


def judge_fit(train: Mapping[int, float], validation: Mapping[int, float], epochs: int) -> Fit:
    """The verdict of ``FIT_RULE`` on one run and task.

    Args:
        train: Training loss by epoch, finite.
        validation: Validation loss by epoch, finite.
        epochs: How many the run was allowed.

    >>> judge_fit({1: 1.0, 2: 0.5, 3: 0.2, 4: 0.1}, {1: 1.0, 2: 0.8, 3: 0.9, 4: 1.1}, epochs=8)
    'over-fitting'
    >>> judge_fit({1: 1.0, 2: 0.8, 3: 0.6}, {1: 1.1, 2: 0.9, 3: 0.7}, epochs=3)
    'under-fitting'
    """
    both = sorted(set(train) & set(validation))
    if len(both) < FEWEST_EPOCHS:
        return "not judged"
    last = both[-1]
    best = min(both, key=lambda epoch: validation[epoch])
    values = [validation[epoch] for epoch in both]
    spread = max(values) - min(values)
    if validation[last] - validation[best] > RISE * spread and train[last] < train[best]:
        return "over-fitting"
    falling = validation[both[-2]] - validation[last] > FALL * spread
    if last == epochs and best == last and falling and train[last] == min(train[epoch] for epoch in both):
        return "under-fitting"
    return "neither"


def has_diverged(study: StudyResults, method: str, task: str, seed: int) -> bool:
    """Whether the last training or validation loss of a run on a task is not finite."""
    for name in ("train loss", "validation loss"):
        curve = study.curves.get((method, task, name), {}).get(seed, {})
        gaps = [epoch for *of, epoch in study.not_finite if of == [method, task, name, seed]]
        if max(gaps, default=0) > max(curve, default=0):
            return True
    return False


def fit_of(study: StudyResults, method: str, task: str, seed: int) -> Fit:
    """Over- or under-fitting of one run on one task; not judged where it has diverged."""
    if has_diverged(study, method, task, seed):
        return "not judged"
    train, validation = (
        study.curves.get((method, task, f"{split} loss"), {}).get(seed, {}) for split in ("train", "validation")
    )
    return judge_fit(train, validation, study.settings["settings"]["epochs"])


def run_fits(study: StudyResults) -> RunFits:
    """The verdict on each finished run of a study; one that has diverged on a task is not judged."""
    settings = study.settings.get("settings", {})
    epochs = settings.get("epochs", 0)
    decays = settings.get("schedule", "constant") != "constant"
    runs = []
    for run in study.costs:
        tasks = study.tasks if run.task == "all" else (run.task,)
        losses = [study.curves.get((run.method, task, "train loss"), {}).get(run.seed, {}) for task in tasks]
        diverged = any(has_diverged(study, run.method, task, run.seed) for task in tasks)
        skills = {} if diverged or not all(losses) else _skills(study, run.method, run.task, run.seed)
        runs.append(RunFit(run.method, run.seed, run.task, judge_run(skills, losses, epochs, decays=decays)))
    return RunFits(tuple(runs), epochs)


def _skills(study: StudyResults, method: str, task: str, seed: int) -> Curve:
    """The mean skill by epoch, or that of the one task."""
    if task == "all":
        return study.curves.get((method, task, "validation skill"), {}).get(seed, {})
    metric: TaskMetric = study.metric(task)
    values = study.curves.get((method, task, f"validation {metric.name}"), {}).get(seed, {})
    way = metric.perfect - metric.trivial
    return {epoch: (value - metric.trivial) / way for epoch, value in values.items()} if way else {}
