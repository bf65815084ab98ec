"""The loop: train a network on some tasks, keep the epoch that validates best; and a case's settings for it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from accelerate.utils import broadcast_object_list, set_seed
from torch.utils.data import DataLoader
from typing_extensions import Unpack

from equipoise.lab.cases import Case
from equipoise.lab.settings import Settings, TrainingOptions
from equipoise.lab.training.checkpoint import (
    Progress,
    keep_better,
    load_checkpoint,
    require_same_run,
    save_checkpoint,
    write_best,
)
from equipoise.lab.training.device import make_accelerator
from equipoise.lab.training.epoch import train_epoch
from equipoise.lab.training.evaluate import evaluate, finish, make_diagnostics, whole_split
from equipoise.lab.training.learner import make_learner
from equipoise.lab.training.measurements import layer_rows, peak_mb, reset_peak, spread_batch
from equipoise.lab.training.order import MicroBatches, make_order
from equipoise.lab.training.result import Moment, RunResult
from equipoise.lab.training.selection import kept_criteria, mean_skill, should_stop, skills_of, stopping_tasks
from equipoise.method import Method

Report = Callable[[int, int, float, Mapping[str, float]], None]
Track = Callable[[Sequence[Moment]], None]


def train(
    case: Case,
    task_names: Sequence[str],
    method: Method,
    seed: int,
    settings: Settings,
    folder: Path,
    report: Report | None = None,
    track: Track | None = None,
    name: str = "",
) -> RunResult:
    """Train on these tasks of a case, or resume an interrupted run in the same folder.

    The seed decides the network's first weights, the order of the samples and the dropout, whatever the
    method; Python's, numpy's and torch's global generators are seeded. The case and the method object
    are not changed. The method is told the ends of epochs, each task's skill on validation after them, and, if it
    looks back, the losses of the same samples after a step.

    Started in several processes by ``accelerate launch`` or ``torchrun``, each calls it with the same arguments: they
    share every batch, and the first one writes.

    Args:
        case: Data, a network and tasks; without a test split nothing is scored on it.
        task_names: The tasks to train; the network has heads for these only.
        method: How to balance; ``Sum()`` where there is one task.
        seed: 0 or more.
        settings: The budget and its options.
        folder: Where the checkpoint is kept, in the end ``exhibits.json``, ``result.json``, and ``best.pt`` where
            ``settings`` asks for more weights than those that are scored; made if need be.
        report: Called after each epoch with (epoch, epochs, mean skill on validation, losses there by task).
        track: Called after each epoch with its part of the history; when going on, first with all before.
        name: What the caller calls the run; it is part of what makes two runs the same.

    Returns:
        The result; that of the folder's ``result.json`` if the run is finished.

    Raises:
        ValueError: If the folder holds another run or a damaged one, or the settings do not fit the case.
    """
    accelerator = make_accelerator()
    run = describe(case, task_names, method, seed, settings, accelerator.num_processes, name)
    finished, unfinished = folder / "result.json", folder / "checkpoint.pt"
    if finished.exists():
        result = RunResult.read(finished)
        require_same_run(finished, result.run, run)
        if accelerator.is_main_process:
            unfinished.unlink(missing_ok=True)  # left by a run that ended between its last two lines
        return result
    folder.mkdir(parents=True, exist_ok=True)

    criteria = kept_criteria(settings, task_names, case.made_metrics)
    rank, ranks, device = accelerator.process_index, accelerator.num_processes, accelerator.device
    train_split = case.splits["train"]
    order = make_order(train_split, seed, settings.temperature)  # type: ignore[arg-type]
    sampler = MicroBatches(order, settings.batch_size, settings.micro_batches, rank, ranks)
    loader = DataLoader(train_split, batch_sampler=sampler, collate_fn=case.collate)
    validation = whole_split(case, "validation", device)
    spread = spread_batch(train_split, case.collate, settings.batch_size, device)
    set_seed(seed)
    learner = make_learner(case, task_names, method, settings, accelerator, settings.epochs * len(sampler.parts))
    if unfinished.exists():
        progress = load_checkpoint(unfinished, run, learner.parts, rank)
    else:
        progress = Progress()
        set_seed(seed + rank)  # building drew from the generators, and how much may depend on the tasks
    track = track if accelerator.is_main_process else None
    if track is not None and progress.history:
        track(progress.history)
    reset_peak(device)
    while not _is_over(progress, settings, task_names):
        began, known = time.perf_counter(), len(progress.history)
        order.set_epoch(progress.epoch)
        means = train_epoch(learner, loader, sampler.parts, progress).of_all_processes()
        learner.tasks.end_epoch()
        learner.balancer.end_epoch()
        # every process takes what the first one found, so that all decide alike
        (values,) = broadcast_object_list([evaluate(learner.evaluated, learner.tasks, case.made_metrics, validation)])
        learner.balancer.observe(skills_of(values, case.made_metrics))
        progress.remember(means.rows(), values, case.made_metrics, settings.select)
        keep_better(progress, criteria, values, case.made_metrics, learner.evaluated)
        if settings.task_patience is not None:
            now = stopping_tasks(progress.history, progress.stopped, case.made_metrics, settings.task_patience)
            progress.stopped |= dict.fromkeys(now, progress.epoch)
        progress.seconds += time.perf_counter() - began
        progress.peak_memory_mb = max(progress.peak_memory_mb, peak_mb(device))
        if len(task_names) > 1:
            cosines = layer_rows(learner.network, learner.tasks, *spread)
            progress.history += [(progress.epoch, "train", *row) for row in cosines]
            reset_peak(device)  # looking costs the method nothing
        save_checkpoint(unfinished, run, progress, learner.parts, accelerator)
        if track is not None:
            track(progress.history[known:])
        if report is not None and accelerator.is_main_process:
            losses = {task: found["loss"] for task, found in values.items()}
            report(progress.epoch, settings.epochs, mean_skill(values, case.made_metrics), losses)

    result = finish(case, method, learner, progress, validation, run)
    if accelerator.is_main_process:
        if len(criteria) > 1:
            write_best(folder / "best.pt", progress)
        replace(result, exhibits=make_diagnostics(case, learner, validation, folder)).write(finished)
        unfinished.unlink(missing_ok=True)
    accelerator.wait_for_everyone()
    return RunResult.read(finished)


def _is_over(progress: Progress, settings: Settings, task_names: Sequence[str]) -> bool:
    if progress.epoch == 0:
        return False
    out_of_patience = should_stop(progress.scores, settings.patience)
    return progress.epoch >= settings.epochs or out_of_patience or len(progress.stopped) == len(task_names)


def describe(
    case: Case,
    task_names: Sequence[str],
    method: Method,
    seed: int,
    settings: Settings,
    processes: int = 1,
    name: str = "",
) -> str:
    """What makes two runs the same, in one line."""
    names = ", ".join(f"{case.tasks[name].weight:g} {name}" for name in task_names)
    together = f", {processes} processes" if processes > 1 else ""
    called = f"{name}: " if name else ""
    return f"{called}{case.name} ({case.data_hash[:12]}): {names} by {method!r}, seed {seed}, {settings!r}{together}"


def case_settings(case: Case, *, epochs: int | None = None, **training: Unpack[TrainingOptions]) -> Settings:
    """The settings of a case, but for those that are given.

    Raises:
        ValueError: If one is out of its range, or names a task or metric that the case has not.
    """
    own: dict[str, Any] = {
        "epochs": case.epochs if epochs is None else epochs,
        "batch_size": case.batch_size,
        "learning_rate": case.learning_rate,
        "weight_decay": case.weight_decay,
        "clip_norm": None,
        "patience": case.patience,
        "schedule": case.schedule,
        "average": case.average,
        "start": case.start,
    }
    settings = Settings(
        **own | {name: value for name, value in training.items() if value is not None or name not in own}
    )
    kept_criteria(settings, case.tasks.names, case.made_metrics)
    make_order(case.splits["train"], 0, settings.temperature)  # type: ignore[arg-type]
    return settings
