"""A network's losses and metrics on a whole split."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from accelerate.utils import send_to_device
from torch import Tensor, nn
from torch.utils.data import DataLoader

from equipoise.lab.training.problem import MetricLike, Problem
from equipoise.missing import labelled_samples, may_be_missing
from equipoise.tasks import Task, Tasks

Batch = tuple[Any, dict[str, Tensor]]
_BATCH = 1024


def whole_split(case: Problem, name: str, device: torch.device) -> list[Batch]:
    """A split, collated once, on the device."""
    loader = DataLoader(case.data[name], _BATCH, collate_fn=case.collate)
    return [send_to_device(batch, device) for batch in loader]


@torch.no_grad()
def evaluate(
    model: nn.Module, tasks: Tasks, metrics: Mapping[str, Sequence[MetricLike]], batches: Iterable[Batch]
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
        output, target = _labelled(task, outputs[task.name], targets[str(task.target)])
        diverged = not bool(output.isfinite().all())  # a ranking or a largest logit would hide it
        values[task.name] = {
            metric.name: math.nan if diverged else metric.compute(output, target) for metric in metrics[task.name]
        }
        values[task.name]["loss"] = losses[task.name].item()
    return values


@torch.no_grad()
def calibrated(
    model: nn.Module, tasks: Tasks, metrics: Mapping[str, Sequence[MetricLike]], batches: Iterable[Batch]
) -> dict[str, tuple[MetricLike, ...]]:
    """The metrics by task, with what they choose by a split chosen on these batches."""
    outputs, targets = outputs_of(model, tasks, batches)
    pairs = {task.name: _labelled(task, outputs[task.name], targets[str(task.target)]) for task in tasks}
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
    outputs = {name: torch.cat([out[name] for out, _ in pairs]) for name in tasks.names}
    targets = {name: torch.cat([target[name] for _, target in pairs]) for name in pairs[0][1]}
    return outputs, targets


def _labelled(task: Task, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Output and target of the samples that have a label."""
    if not may_be_missing(target, task.ignored_class):
        return output, target
    kept = labelled_samples(target, task.ignored_class)
    return output[kept], target[kept]
