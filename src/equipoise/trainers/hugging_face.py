"""Hugging Face's Trainer: accumulation, each task's loss in the logs, checkpoints, validation results."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from equipoise.arguments import short_repr
from equipoise.balancer import Balancer
from equipoise.trainers.reported import Reported

try:
    from transformers import Trainer, TrainerCallback, TrainerState, TrainingArguments
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(f'{error.name} is missing: pip install "equipoise[trainers]"', name=error.name) from None

_FILE = "balancer.pt"  # in a checkpoint's folder


def attach(
    trainer: Trainer,
    balancer: Balancer,
    *,
    observe: Mapping[str, str] | None = None,
    lower_is_better: Iterable[str] = (),
) -> None:
    """Do for a balancer what the trainer does for its model alone; call it once, before ``train``.

    - A balanced loss is a mean over its micro-batch, so the trainer divides it by the number of them. By itself it
      does not where ``compute_loss_func`` is given, or where the model's ``forward`` takes ``**kwargs``. A trainer that
      divides in its ``compute_loss`` has ``loss_is_scaled_for_ga = True``, and keeps it.
    - Logs gain ``losses/NAME`` and ``weights/NAME``: means since the last log, in this process, over the micro-batches
      in which the task was present.
    - The method hears of the end of each epoch, and moves to the trainer's device.
    - It hears validation results after each evaluation while training, where ``observe`` says which they are.
    - Checkpoints gain ``balancer.pt``; a run that is resumed from one in the trainer's output folder reads it.

    Parameters that a method learns belong in the trainer's ``optimizers``, which this does not make.

    Args:
        trainer: Yours.
        balancer: The one whose loss it trains.
        observe: {task: key of its result}, as ``compute_metrics`` names it, with or without ``eval_`` before it: higher
            is better, but for the tasks that you name in ``lower_is_better``. No key is guessed from a task's name,
            since a name does not say which way is better.
        lower_is_better: Tasks whose result is an error or a loss.

    Raises:
        ValueError: If ``balancer`` is none, the trainer has one already, or a task is unknown; from ``train``, if
            nothing is evaluated, or a key is not reported, with those that are.
        RuntimeError: If this version of transformers cannot be told to divide.
        FileNotFoundError: From ``train``, if the checkpoint that it resumes holds no balancer.
    """
    if not isinstance(balancer, Balancer):
        raise ValueError(f"balancer must be a Balancer, got {short_repr(balancer)}")
    if not hasattr(trainer, "loss_is_scaled_for_ga"):
        raise RuntimeError("this transformers does not know Trainer.loss_is_scaled_for_ga: install transformers>=5.23")
    if any(isinstance(callback, _Attached) for callback in trainer.callback_handler.callbacks):
        raise ValueError("the trainer has a balancer already, so its loss would be balanced twice: make a new trainer")
    keys = {} if observe is None else observe
    if isinstance(keys, Mapping):
        keys = {task: f"eval_{str(key).removeprefix('eval_')}" for task, key in keys.items()}
    reported = Reported(balancer, keys, lower_is_better)
    balancer.to(trainer.args.device)
    balancer.expect("end_epoch", *(["observe"] if keys else []))
    if trainer.loss_is_scaled_for_ga is None:  # else the trainer's class knows, as that of TRL's GRPO, which divides
        trainer.loss_is_scaled_for_ga = False
    trainer.callback_handler.callbacks.insert(0, _Attached(reported))  # before the reporters, who read the same logs


class _Attached(TrainerCallback):
    def __init__(self, reported: Reported) -> None:
        self.balancer, self.reported = reported.balancer, reported
        self.is_training = self.is_told = False
        self.steps = 0  # of the balancer, when it was last looked at
        self.metrics: dict[str, Any] = {}  # of the evaluation after this step, which may be of several data sets
        self.seen: dict[str, list[Tensor]] = {}  # since the last log; tensors, so that a step waits for no device

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: Any, **_: Any) -> None:
        if self.reported.keys and args.eval_strategy == "no":
            raise ValueError("observe needs evaluations while training: set eval_strategy to 'epoch' or 'steps'")
        self.is_training = True
        if state.global_step > 0:
            self._resume(_folder(args, state) / _FILE, state.global_step)
        self.steps = self.balancer.steps

    def _resume(self, path: Path, step: int) -> None:
        if not path.exists():
            raise FileNotFoundError(
                f"the run resumes from step {step}, and there is no balancer at {path}: resume from a checkpoint in "
                "the trainer's output folder that was written with attach()"
            )
        self.balancer.load_state_dict(torch.load(path, weights_only=True))

    def on_substep_end(self, *_: Any, **__: Any) -> None:
        if self.balancer.steps == self.steps:
            return
        self.steps, record = self.balancer.steps, self.balancer.record
        for kind, values in (("losses", record.losses_tensor), ("weights", record.weights_tensor)):
            if values is not None:
                for name, value in zip(record.names, values.detach().unbind(), strict=True):
                    self.seen.setdefault(f"{kind}/{name}", []).append(value)

    on_step_end = on_substep_end  # the last micro-batch of a step is announced as the step

    def on_log(self, args: TrainingArguments, state: TrainerState, control: Any, **others: Any) -> None:
        logs: dict[str, Any] = others["logs"]
        if "loss" in logs:  # neither an evaluation's nor the last summary
            means = {name: float(torch.stack(values).mean()) for name, values in self.seen.items()}
            logs.update(means)
            state.log_history[-1].update(means)  # the trainer has copied the logs there already
            self.seen.clear()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            torch.save(self.balancer.state_dict(), _folder(args, state) / _FILE)

    def on_epoch_end(self, *_: Any, **__: Any) -> None:
        self.balancer.end_epoch()

    def on_evaluate(self, *_: Any, **others: Any) -> None:
        if self.is_training and self.reported.keys:
            self.metrics.update(others["metrics"])
            if not self.is_told and self.reported.are_in(self.metrics):
                self.reported.tell(self.metrics)
                self.is_told = True

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        if self.metrics and not self.is_told:
            self.reported.tell(self.metrics)  # raises: a key is not there
        self.metrics, self.is_told = {}, False

    def on_train_end(self, *_: Any, **__: Any) -> None:
        self.on_step_begin()
        self.is_training = False


def _folder(args: TrainingArguments, state: TrainerState) -> Path:
    return Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
