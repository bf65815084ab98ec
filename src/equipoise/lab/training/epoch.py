"""One pass over the training split."""

import time
from collections.abc import Collection, Iterable
from itertools import islice
from typing import Any, cast

import torch
from accelerate.utils import convert_to_fp32, send_to_device
from torch import Tensor, nn

from equipoise.balancer import Balancer
from equipoise.lab.training.checkpoint import Progress
from equipoise.lab.training.learner import Learner
from equipoise.lab.training.measurements import Means
from equipoise.losses.regularisation import l1, l2, weights_only
from equipoise.tasks import TaskLosses


def train_epoch(learner: Learner, batches: Iterable[Any], parts: Iterable[int], progress: Progress) -> Means:
    """Take the steps of an epoch; what they did, on average over this process's samples.

    Args:
        learner: What learns.
        batches: (inputs, targets) of each micro-batch.
        parts: How many micro-batches each step has.
        progress: Where steps are counted; tasks that it says have stopped contribute nothing.
    """
    device, balancer, optimizer = learner.accelerator.device, learner.balancer, learner.optimizer
    means, batches = Means(learner.tasks.names), iter(batches)
    for count in parts:
        micro_batches = [send_to_device(batch, device) for batch in islice(batches, count)]
        began, before = _now(device), balancer.steps
        optimizer.zero_grad()
        balancer.accumulate(count)
        for inputs, targets in micro_batches:
            losses = learner.tasks.losses(_outputs(learner, learner.model, inputs), targets)
            (balancer(_without(losses, progress.stopped)) / count).backward()
            means.add("loss", {name: loss.item() for name, loss in losses.items()}, losses.counts)
        if balancer.steps == before:  # no process has a label
            continue
        record = balancer.record
        if learner.accelerator.num_processes > 1 and len(record.names) < len(balancer.names):
            _leave_alone(balancer, record.names)
        _penalise(learner)
        if _clip(learner).isfinite():
            learner.set_rates(progress.steps)
            optimizer.step()
            if "after_step" in balancer.method.needs:
                _look_back(learner, micro_batches, progress.stopped)
            if learner.average is not None:
                learner.average.update_parameters(learner.network)
            progress.step_seconds.append(_now(device) - began)
        else:
            progress.skipped_steps += 1
        means.add_record(record)
        progress.unsolved_steps = record.unsolved
    return means


def _outputs(learner: Learner, model: nn.Module, inputs: Any) -> dict[str, Any]:
    with torch.autocast(learner.accelerator.device.type, torch.bfloat16, enabled=learner.settings.precision == "bf16"):
        outputs = model(inputs)
    converted: dict[str, Any] = convert_to_fp32(outputs)
    return converted


def _without(losses: TaskLosses, stopped: Collection[str]) -> TaskLosses:
    kept = {name: loss for name, loss in losses.items() if name not in stopped}
    return TaskLosses(kept, losses.counts, losses.parts, losses.weights)


@torch.no_grad()
def _look_back(learner: Learner, micro_batches: Iterable[Any], stopped: Collection[str]) -> None:
    """Tell the method the losses of the same samples after the step; what dropout draws for it is drawn aside."""
    sums: dict[str, Tensor] = {}
    counts: dict[str, float] = {}
    device = learner.accelerator.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        for inputs, targets in micro_batches:
            losses = _without(learner.tasks.losses(_outputs(learner, learner.network, inputs), targets), stopped)
            for name, loss in losses.items():
                labels = losses.counts[name]
                sums[name] = sums.get(name, torch.zeros_like(loss)) + labels * loss
                counts[name] = counts.get(name, 0.0) + labels
    learner.balancer.after_step({name: total / counts[name] for name, total in sums.items()}, counts=counts)


def _leave_alone(balancer: Balancer, present: Collection[str]) -> None:
    """Take away the zeros that DDP gives to what absent tasks alone reach: the optimiser would move it by them."""
    given = balancer.given
    bits = sum(1 << place for place, name in enumerate(balancer.names) if name in present)
    for name, parameter in given.named().items():
        if not given.reached.get(name, bits) & bits:
            parameter.grad = None


def _penalise(learner: Learner) -> None:
    """Add the penalties' gradient to what balancing left of the network's weights."""
    asked = [(of, by) for of, by in ((l1, learner.settings.l1), (l2, learner.settings.l2)) if by]
    weights = [weight for weight in weights_only(learner.network) if weight.grad is not None] if asked else []
    for penalty, strength in asked:
        if weights:
            for weight, gradient in zip(weights, torch.autograd.grad(penalty(weights), weights), strict=True):
                cast(Tensor, weight.grad).add_(gradient, alpha=strength)


def _clip(learner: Learner) -> Tensor:
    """The gradient's norm [] as balancing and penalties left it; the gradient is clipped, by value and then by norm."""
    settings, parameters = learner.settings, list(learner.network.parameters())
    norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    if settings.clip_value is not None:
        torch.nn.utils.clip_grad_value_(parameters, settings.clip_value)
    if settings.clip_norm is not None:
        torch.nn.utils.clip_grad_norm_(parameters, settings.clip_norm)
    return norm


def _now(device: torch.device) -> float:
    """Seconds, once the device has done what it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
