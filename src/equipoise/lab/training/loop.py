"""The loop: train a network on some tasks, keep the epoch that validates best."""

import copy
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import send_to_device, set_seed
from torch import Tensor, nn
from torch.utils.data import DataLoader

from equipoise.balancer import Balancer
from equipoise.lab.exhibits import Seen, write_exhibits
from equipoise.lab.training.checkpoint import Progress, load_checkpoint, require_same_run, save_checkpoint
from equipoise.lab.training.evaluate import Batch, evaluate, outputs_of, settled
from equipoise.lab.training.means import Means
from equipoise.lab.training.memory import peak_mb, reset_peak
from equipoise.lab.training.order import EpochOrder
from equipoise.lab.training.problem import Problem
from equipoise.lab.training.result import RunResult
from equipoise.lab.training.selection import best_epoch, mean_skill, should_stop
from equipoise.lab.training.settings import Settings
from equipoise.method import Method, split
from equipoise.tasks import Tasks

PROBE_EVERY = 10  # steps between two measurements of the gradients, for methods that need none
_EVALUATION_BATCH = 1024

Report = Callable[[int, int, float], None]


def train(
    case: Problem,
    task_names: Sequence[str],
    method: Method,
    seed: int,
    settings: Settings,
    folder: Path,
    report: Report | None = None,
) -> RunResult:
    """Train on these tasks of a case, or go on where an interrupted run in the same folder stopped.

    The seed decides the network's first weights, the order of the samples and the dropout, whatever the
    method; Python's, numpy's and torch's global generators are seeded. The case and the method object
    are not changed.

    Args:
        case: Data, a network and tasks.
        task_names: The tasks to train; the network has heads for these only.
        method: How to balance; ``Sum()`` where there is one task.
        seed: 0 or more.
        settings: The budget.
        folder: Where the checkpoint is kept, and in the end ``exhibits.json`` and ``result.json``; made if need be.
        report: Called after each epoch with (epoch, epochs, mean skill on validation).

    Returns:
        The result; that of the folder's ``result.json`` if the run is finished.

    Raises:
        ValueError: If the folder holds another run.
        RuntimeError: If several processes train together.
    """
    run = describe(case, task_names, method, seed, settings)
    finished, unfinished = folder / "result.json", folder / "checkpoint.pt"
    if finished.exists():
        result = RunResult.read(finished)
        require_same_run(finished, result.run, run)
        unfinished.unlink(missing_ok=True)  # left by a run that ended between its last two lines
        return result
    folder.mkdir(parents=True, exist_ok=True)

    set_seed(seed)
    accelerator = Accelerator()
    if accelerator.num_processes > 1:
        raise RuntimeError(
            f"train runs in one process, started in {accelerator.num_processes}: run it without a launcher"
        )
    tasks = Tasks([copy.deepcopy(case.tasks[name]) for name in task_names]).to(accelerator.device)
    model = case.make_model(task_names)
    balancer = Balancer(copy.deepcopy(method), model, tasks=tasks, probe_every=PROBE_EVERY).to(accelerator.device)
    optimizer = _optimizer(model, balancer, tasks, settings)
    order = EpochOrder(case.splits["train"], seed)  # type: ignore[arg-type]
    loader = DataLoader(case.splits["train"], settings.batch_size, sampler=order, collate_fn=case.collate)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    validation = _batches(case, "validation", accelerator.device)
    parts = {
        "model": accelerator.unwrap_model(model),
        "optimizer": optimizer,
        "balancer": balancer,
        "tasks": tasks,
    }

    if unfinished.exists():
        progress = load_checkpoint(unfinished, run, parts)
    else:
        progress = Progress()
        set_seed(seed)  # building drew from the generators, and how much may depend on the tasks
    reset_peak(accelerator.device)
    while progress.epoch < settings.epochs and not _stop(progress, settings):
        began = time.perf_counter()
        means = _train_epoch(accelerator, model, tasks, balancer, optimizer, loader, settings, progress)
        balancer.end_epoch()
        values = evaluate(model, tasks, case.metrics, validation)
        progress.skills.append(mean_skill(values, case.metrics))
        epoch = progress.epoch
        progress.history += [(epoch, "train", *row) for row in means.rows()]
        progress.history += [
            (epoch, "validation", task, quantity, value) for task in values for quantity, value in values[task].items()
        ]
        progress.history.append((epoch, "validation", "all", "skill", progress.skills[-1]))
        if best_epoch(progress.skills) == epoch:
            progress.best_weights = {k: v.detach().cpu().clone() for k, v in parts["model"].state_dict().items()}
        progress.seconds += time.perf_counter() - began
        progress.peak_memory_mb = max(progress.peak_memory_mb, peak_mb(accelerator.device))
        save_checkpoint(unfinished, run, progress, parts)
        if report is not None:
            report(epoch, settings.epochs, progress.skills[-1])

    if not progress.step_seconds:
        raise RuntimeError(
            f"no step was taken: in all {progress.skipped_steps} the gradient was not finite; "
            "lower the learning rate or look at the losses"
        )
    parts["model"].load_state_dict(progress.best_weights)
    metrics = settled(model, tasks, case.metrics, validation)
    scores = [
        (name, task, metric, value)
        for name, batches in (
            ("validation", validation),
            ("test", _batches(case, "test", accelerator.device)),
        )
        for task, values in evaluate(model, tasks, metrics, batches).items()
        for metric, value in values.items()
    ]
    result = RunResult(
        scores=scores,
        history=progress.history,
        best_epoch=best_epoch(progress.skills),
        epochs=progress.epoch,
        steps=len(progress.step_seconds) + progress.skipped_steps,
        seconds=progress.seconds,
        seconds_per_step=statistics.median(progress.step_seconds),
        backwards_per_step=float(len(tasks)) if split(method).takes_gradients else 1.0,
        peak_memory_mb=progress.peak_memory_mb,
        stopped_early=progress.epoch < settings.epochs,
        skipped_steps=progress.skipped_steps,
        unsolved_steps=progress.unsolved_steps,
        run=run,
    )
    _exhibit(case, parts["model"], tasks, validation, folder)
    result.write(finished)
    unfinished.unlink(missing_ok=True)
    return result


def _train_epoch(
    accelerator: Accelerator,
    model: nn.Module,
    tasks: Tasks,
    balancer: Balancer,
    optimizer: torch.optim.Optimizer,
    loader: Any,
    settings: Settings,
    progress: Progress,
) -> Means:
    """One pass over the training split; what it did, on average."""
    means = Means()
    loader.set_epoch(progress.epoch)
    for inputs, targets in loader:
        began = _now(accelerator.device)
        losses = tasks.losses(model(inputs), targets)
        optimizer.zero_grad()
        if losses:
            accelerator.backward(balancer(losses))
            if _clip(accelerator, model, settings.clip_norm).isfinite():
                optimizer.step()
                progress.step_seconds.append(_now(accelerator.device) - began)
            else:
                progress.skipped_steps += 1
            means.add("loss", {name: loss.item() for name, loss in losses.items()}, losses.counts)
            record = balancer.record
            assert record is not None
            means.add_record(record)
            progress.unsolved_steps = record.unsolved
    return means


def _clip(accelerator: Accelerator, model: nn.Module, clip_norm: float | None) -> Tensor:
    """The gradient's norm [] as balancing left it; the gradient is clipped to ``clip_norm``."""
    if clip_norm is None:
        return torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    norm: Tensor = accelerator.clip_grad_norm_(model.parameters(), clip_norm)
    return norm


def _stop(progress: Progress, settings: Settings) -> bool:
    return progress.epoch > 0 and should_stop(progress.skills, settings.patience)


def _optimizer(model: nn.Module, balancer: Balancer, tasks: Tasks, settings: Settings) -> torch.optim.Optimizer:
    learnt_beside = [*balancer.parameters(), *tasks.parameters()]  # decay would pull what they mean towards 0
    groups: list[dict[str, Any]] = [{"params": list(model.parameters())}]
    if learnt_beside:
        groups.append({"params": learnt_beside, "weight_decay": 0.0})
    return torch.optim.AdamW(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)


def _exhibit(case: Problem, model: nn.Module, tasks: Tasks, validation: list[Batch], folder: Path) -> None:
    """Make and keep what the case shows of a network."""
    outputs, targets = send_to_device(outputs_of(model, tasks, validation), "cpu")
    seen = Seen(model.cpu().eval(), tasks.cpu(), outputs, targets, case.splits["validation"], case.collate)
    write_exhibits(folder, case.exhibits, seen)


def _batches(case: Problem, name: str, device: torch.device) -> list[Batch]:
    """A split, collated once, on the device."""
    loader = DataLoader(case.splits[name], _EVALUATION_BATCH, collate_fn=case.collate)
    return [send_to_device(batch, device) for batch in loader]


def describe(case: Problem, task_names: Sequence[str], method: Method, seed: int, settings: Settings) -> str:
    """What makes two runs the same, in one line."""
    names = ", ".join(f"{case.tasks[name].weight:g} {name}" for name in task_names)
    return f"{case.name} ({case.data_hash[:12]}): {names} by {method!r}, seed {seed}, {settings!r}"


def _now(device: torch.device) -> float:
    """Seconds, once the device has done what it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
