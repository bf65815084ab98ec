"""The end of a run: the best epoch's weights, scored on validation and, once, on test if the case has that split."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from accelerate.utils import send_to_device

from equipoise.chain import split
from equipoise.lab.diagnostics import Predictions, diagnostics_hash, write_diagnostics
from equipoise.lab.training.checkpoint import Progress
from equipoise.lab.training.evaluate import Batch, calibrated, evaluate, outputs_of, whole_split
from equipoise.lab.training.learner import Learner
from equipoise.lab.training.problem import Problem
from equipoise.lab.training.result import RunResult
from equipoise.method import Method


def finish(
    case: Problem, method: Method, learner: Learner, progress: Progress, validation: Sequence[Batch], run: str
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
    metrics = calibrated(network, tasks, case.metrics, validation)
    splits = {"validation": validation}
    if "test" in case.data:
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


def make_diagnostics(case: Problem, learner: Learner, validation: Sequence[Batch], folder: Path) -> str:
    """Make what the case shows of the finished network, on validation, and keep it in the folder; its SHA-256."""
    outputs, targets = send_to_device(outputs_of(learner.network, learner.tasks, validation), "cpu")
    network, tasks = learner.network.cpu().eval(), learner.tasks.cpu()
    write_diagnostics(
        folder, case.diagnostics, Predictions(network, tasks, outputs, targets, case.data["validation"], case.collate)
    )
    return diagnostics_hash(folder)
