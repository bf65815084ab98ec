"""Hugging Face's Trainer: accumulation, each task's loss in the logs, the balancer in checkpoints."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import Trainer, TrainerCallback, TrainerState, TrainingArguments

from equipoise.balancer import Balancer
from equipoise.tasks import shown

_FILE = "balancer.pt"  # in a checkpoint's folder


def attach(trainer: Trainer, balancer: Balancer) -> None:
    """Do for a balancer what the trainer does for its model alone; call it once, before ``train``.

    - A balanced loss is a mean over its micro-batch, so the trainer divides it by the number of them. By itself it
      does not where ``compute_loss_func`` is given, or where the model's ``forward`` takes ``**kwargs``.
    - Logs gain ``losses/NAME`` and ``weights/NAME``: means since the last log, in this process, over the micro-batches
      in which the task was present.
    - The method hears of the end of each epoch, and moves to the trainer's device.
    - Checkpoints gain ``balancer.pt``; a run that is resumed from one in the trainer's output folder reads it.

    Parameters that a method learns belong in the trainer's ``optimizers``, which this does not make.

    Raises:
        ValueError: If ``balancer`` is none.
        RuntimeError: If this version of transformers cannot be told to divide.
        FileNotFoundError: From ``train``, if the checkpoint that it resumes holds no balancer.
    """
    if not isinstance(balancer, Balancer):
        raise ValueError(f"balancer must be a Balancer, got {shown(balancer)}")
    if not hasattr(trainer, "loss_is_scaled_for_ga"):
        raise RuntimeError("this transformers does not know Trainer.loss_is_scaled_for_ga: install transformers>=5.23")
    balancer.to(trainer.args.device)
    trainer.loss_is_scaled_for_ga = False
    trainer.callback_handler.callbacks.insert(0, _Attached(balancer))  # before the reporters, who read the same logs


class _Attached(TrainerCallback):
    def __init__(self, balancer: Balancer) -> None:
        self.balancer = balancer
        self.seen: dict[str, list[Tensor]] = {}  # since the last log; tensors, so that a step waits for no device

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: Any, **_: Any) -> None:
        if state.global_step == 0:
            return
        path = _folder(args, state) / _FILE
        if not path.exists():
            raise FileNotFoundError(
                f"the run goes on from step {state.global_step}, and there is no balancer at {path}: resume from a "
                "checkpoint in the trainer's output folder that was written with attach()"
            )
        self.balancer.load_state_dict(torch.load(path, weights_only=True))

    def on_substep_end(self, *_: Any, **__: Any) -> None:
        record = self.balancer.record
        if record is None:
            return
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


def _folder(args: TrainingArguments, state: TrainerState) -> Path:
    return Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
