"""A network's losses and metrics on a whole split, and the end of a run: the best epoch's weights, scored."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import send_to_device
from torch import Tensor, nn
from torch.utils.data import DataLoader

from equipoise.chain import split
from equipoise.lab.cases import Case, Metric
from equipoise.lab.data.arrays import joined_targets, padded
from equipoise.lab.diagnostics import Predictions, diagnostics_hash, write_diagnostics
from equipoise.lab.training.checkpoint import Progress
from equipoise.lab.training.learner import Learner
from equipoise.lab.training.result import RunResult
from equipoise.method import Method
from equipoise.missing import labelled_samples, may_be_missing
from equipoise.task import Task
from equipoise.tasks import Tasks

Batch = tuple[Any, dict[str, Tensor]]
_BATCH = 1024


def whole_split(case: Case, name: str, device: torch.device) -> list[Batch]:
    """A split, collated once, on the device."""
    loader = DataLoader(case.splits[name], _BATCH, collate_fn=case.collate)
    return [send_to_device(batch, device) for batch in loader]


@torch.no_grad()
def evaluate(
    model: nn.Module, tasks: Tasks, metrics: Mapping[str, Sequence[Metric]], batches: Iterable[Batch]
) -> dict[str, dict[str, float]]:
    """Metrics, then "loss", by task, on the outputs of all batches together; leaves the model in train mode.

    Raises:
        ValueError: If a task has no label in the split.
    """
    outputs, targets = outputs_of(model, tasks, batches)
    losses = tasks.losses(outputs, targets)
    values: dict[str, dict[str, float]] = {}
    for task in tasks:
        if task.name not in losses:
            raise ValueError(f"no label of task {task.name!r} in the split that is evaluated: make it larger")
        output, target = labelled_pair(task, outputs[task.name], targets[str(task.target)])
        diverged = not bool(output.isfinite().all())  # a ranking or a largest logit would hide it
        values[task.name] = {
            metric.name: math.nan if diverged else metric.compute(output, target) for metric in metrics[task.name]
        }
        values[task.name]["loss"] = losses[task.name].item()
    return values


@torch.no_grad()
def calibrated(
    model: nn.Module, tasks: Tasks, metrics: Mapping[str, Sequence[Metric]], batches: Iterable[Batch]
) -> dict[str, tuple[Metric, ...]]:
    """The metrics by task, with what they choose by a split chosen on these batches."""
    outputs, targets = outputs_of(model, tasks, batches)
    pairs = {task.name: labelled_pair(task, outputs[task.name], targets[str(task.target)]) for task in tasks}
    return {
        name: tuple(metric if metric.calibrate is None else metric.calibrate(*pair) for metric in metrics[name])
        for name, pair in pairs.items()
    }


@torch.no_grad()
def outputs_of(model: nn.Module, tasks: Tasks, batches: Iterable[Batch]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Outputs and targets of all batches together; leaves the model in train mode."""
    model.eval()
    pairs = [(model(inputs), targets) for inputs, targets in batches]
    model.train()
    outputs = {name: padded([out[name] for out, _ in pairs], 0.0) for name in tasks.names}
    ignored = {str(task.target): task.ignored_class for task in tasks}
    return outputs, joined_targets([targets for _, targets in pairs], ignored)


def labelled_pair(task: Task, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Output and target of the samples that have a label."""
    if not may_be_missing(target, task.ignored_class):
        return output, target
    kept = labelled_samples(target, task.ignored_class)
    return output[kept], target[kept]


def finish(
    case: Case, method: Method, learner: Learner, progress: Progress, validation: Sequence[Batch], run: str
) -> RunResult:
    """The result of a run whose epochs are over.

    Raises:
        RuntimeError: If no step was taken.
    """
    if not progress.step_seconds:
        raise RuntimeError(
            f"no step was taken: in all {progress.skipped_steps} the gradient was not finite; "
            "lower the learning rate or look at the losses"
        )
    settings, tasks, network = learner.settings, learner.tasks, learner.network
    best = progress.best[settings.select]
    network.load_state_dict(best["weights"])
    metrics = calibrated(network, tasks, case.made_metrics, validation)
    splits = {"validation": validation}
    if "test" in case.splits:
        splits["test"] = whole_split(case, "test", learner.accelerator.device)
    scores = [
        (name, task, metric, value)
        for name, batches in splits.items()
        for task, values in evaluate(network, tasks, metrics, batches).items()
        for metric, value in values.items()
    ]
    by_task = split(method).takes_gradients or settings.micro_batches > 1
    return RunResult(
        scores=scores,
        history=progress.history,
        best_epoch=best["epoch"],
        epochs=progress.epoch,
        steps=progress.steps,
        seconds=progress.seconds,
        seconds_per_step=statistics.median(progress.step_seconds),
        backwards_per_step=float(len(tasks)) if by_task else 1.0,
        peak_memory_mb=progress.peak_memory_mb,
        stopped_early=progress.epoch < settings.epochs,
        skipped_steps=progress.skipped_steps,
        unsolved_steps=progress.unsolved_steps,
        run=run,
        stopped_tasks=progress.stopped,
        best_epochs={criterion: one["epoch"] for criterion, one in progress.best.items()},
    )


def make_diagnostics(case: Case, learner: Learner, validation: Sequence[Batch], folder: Path) -> str:
    """Make what the case shows of the finished network, on validation, and keep it in the folder; its SHA-256."""
    outputs, targets = send_to_device(outputs_of(learner.network, learner.tasks, validation), "cpu")
    network, tasks = learner.network.cpu().eval(), learner.tasks.cpu()
    write_diagnostics(
        folder, case.diagnostics, Predictions(network, tasks, outputs, targets, case.splits["validation"], case.collate)
    )
    return diagnostics_hash(folder)
