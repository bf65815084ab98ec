"""How long a study takes on this machine, from a few of its own steps; nothing that is trained depends on it."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median

import torch

from equipoise.lab.arms import SUM, TUNED, MethodArm, StudyArm
from equipoise.lab.cases import with_losses
from equipoise.lab.evaluation.fit import FEWEST_EPOCHS
from equipoise.lab.studies.plan import Plan, Run
from equipoise.lab.training.checkpoint import Progress, generators_kept
from equipoise.lab.training.device import make_accelerator
from equipoise.lab.training.epoch import train_epoch
from equipoise.lab.training.evaluate import evaluate, outputs_of, whole_split
from equipoise.lab.training.learner import make_learner
from equipoise.lab.training.measurements import layer_rows, spread_batch

STEPS = 4  # that are timed of each method, after one that is not
LONG = 5.0  # seconds after which no further step is timed
WHOLE, PART = 4096, 256  # validation samples up to which all are evaluated, and of more how many
FEWEST_SEEDS = 3
AROUND = 20.0  # seconds of two idle cores for start-up of the processes, baselines of scikit-learn, tables and report
CHEAP = 1.5  # times the plain sum's step: what a method that compares no gradients takes


@dataclass(frozen=True)
class Costs:
    """Seconds of a step by arm and of what stands between two epochs (a single-task network has its own); and more."""

    step: Mapping[StudyArm, float]
    epoch: Mapping[bool, float]  # by whether it is a single-task network
    around: float = 0.0  # before the first run and after the last

    def of_run(self, plan: Plan, run: Run) -> float:
        """At most, in seconds: with every epoch that is allowed."""
        arm = run.arm.source or run.arm
        step = self.step.get(arm, self.step[SUM])
        alone = len(run.tasks) == 1 < len(plan.case.tasks)
        return plan.settings.epochs * (plan.steps_per_epoch * step + self.epoch[alone])

    def minutes(self, plan: Plan, runs: Sequence[Run], trials: int, jobs: int) -> float:
        """At most, of a study of these runs and so many trials of fixed weights, each of which is a run of the sum."""
        trial = Run(SUM, tuple(plan.case.tasks.names), plan.seeds[0])
        seconds = [*(self.of_run(plan, run) for run in runs), *[self.of_run(plan, trial)] * trials]
        return (self.around + max(sum(seconds) / jobs, max(seconds, default=0.0))) / 60


def time_steps(plan: Plan, threads: int) -> Costs:
    """Train each arm for a few steps on the case, with as many threads as a run has; the generators are put back.

    Args:
        plan: Whose arms.
        threads: Of torch.
    """
    names = tuple(plan.case.tasks.names)
    arms = dict.fromkeys([SUM, *(arm for arm in plan.arms if isinstance(arm, MethodArm) or arm.losses)])
    with generators_kept(), _threads(threads):
        found = {arm: _time_arm(plan, arm, names) for arm in arms}
        step, epoch = {arm: seconds for arm, (seconds, _) in found.items()}, {False: found[SUM][1]}
        if plan.alone:
            alone = next(run.arm for run in plan.runs if run.tasks == plan.alone[:1])
            step[alone], epoch[True] = _time_arm(plan, SUM, plan.alone[:1])
    return Costs(step, {True: epoch[False], **epoch}, AROUND)


def _time_arm(plan: Plan, arm: StudyArm, names: Sequence[str]) -> tuple[float, float]:
    """Seconds of a step, batch included, and of what follows an epoch."""
    case = with_losses(plan.case, arm.losses) if arm.losses else plan.case
    accelerator = make_accelerator()
    method = (arm if isinstance(arm, MethodArm) else SUM).make()
    learner = make_learner(case, names, method, plan.settings, accelerator, plan.settings.epochs * plan.steps_per_epoch)
    train, size = case.splits["train"], plan.settings.batch_size
    rows = min(size, len(train))  # type: ignore[arg-type]

    def step() -> None:
        batch = spread_batch(train, case.collate, rows, accelerator.device)
        train_epoch(learner, [batch], [1], Progress())

    validation = case.splits["validation"]
    samples = len(validation)  # type: ignore[arg-type]

    def look() -> None:
        if samples > WHOLE:  # metrics, which may need more than a part, take less than so many outputs
            outputs_of(
                learner.evaluated, learner.tasks, [spread_batch(validation, case.collate, PART, accelerator.device)]
            )
        else:
            batches = whole_split(case, "validation", accelerator.device)
            evaluate(learner.evaluated, learner.tasks, case.made_metrics, batches)

    def compare_layers() -> None:
        if len(names) > 1:
            layer_rows(learner.network, learner.tasks, *spread_batch(train, case.collate, rows, accelerator.device))

    step()
    parts = samples / PART if samples > WHOLE else 1.0
    return median(_timed(step)), parts * _once(look) + _once(compare_layers)


def _timed(step: Callable[[], None]) -> Iterator[float]:
    spent = 0.0
    for _ in range(STEPS):
        if spent < LONG:
            spent += (seconds := _once(step))
            yield seconds


def _once(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def shorter(plan: Plan, costs: Costs, jobs: int, trials: int) -> list[tuple[str, float]]:
    """What takes less, as its options, and the minutes from the beginning with each."""
    found = []
    if len(plan.seeds) > FEWEST_SEEDS:
        few = replace(plan, seeds=plan.seeds[:FEWEST_SEEDS])
        found.append((f"{FEWEST_SEEDS} seeds", costs.minutes(few, few.runs, trials, jobs)))
    if trials:
        runs = [run for run in plan.runs if run.arm != TUNED]
        found.append(("no tuned weights", costs.minutes(plan, runs, 0, jobs)))
    cheap = tuple(arm for arm in plan.arms if arm != TUNED and costs.step.get(arm, math.inf) <= CHEAP * costs.step[SUM])
    if 1 < len(cheap) < len(plan.arms):
        first = replace(plan, arms=cheap, seeds=plan.seeds[:FEWEST_SEEDS], tuned_trials=0)
        names = ", ".join(str(arm) for arm in cheap)
        found.append((f"{len(first.seeds)} seeds of {names} as a beginning", costs.minutes(first, first.runs, 0, jobs)))
    epochs = math.ceil(plan.settings.epochs / 2)
    if epochs > FEWEST_EPOCHS:  # of fewer the study would say that they are too few
        half = replace(plan, settings=replace(plan.settings, epochs=epochs))
        found.append((f"{epochs} epochs", costs.minutes(half, plan.runs, trials, jobs)))
    return found
