"""What learns in a run: the network, what is learnt beside it, and what makes them learn."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn
from torch.optim.swa_utils import AveragedModel

from equipoise.balancer import Balancer
from equipoise.lab.settings import Settings
from equipoise.lab.training.average import averaged
from equipoise.lab.training.problem import Problem
from equipoise.lab.training.schedule import decay_at, rate_factor
from equipoise.lab.training.start import begin_at_labels
from equipoise.method import Method
from equipoise.tasks import Tasks

PROBE_EVERY = 10  # steps between two measurements of the gradients, for methods that need none


@dataclass(frozen=True)
class Learner:
    """The parts of a run whose state is that of the run."""

    accelerator: Accelerator
    settings: Settings
    steps: int  # of the whole training, if nothing stops it
    model: nn.Module  # as it is trained, in DDP where there are several processes
    network: nn.Module  # the same, bare
    tasks: Tasks
    balancer: Balancer
    optimizer: torch.optim.Optimizer
    average: AveragedModel | None

    @property
    def parts(self) -> dict[str, Any]:
        """What a checkpoint holds, by name."""
        parts = {"model": self.network, "optimizer": self.optimizer, "balancer": self.balancer, "tasks": self.tasks}
        return parts if self.average is None else {**parts, "average": self.average}

    @property
    def evaluated(self) -> nn.Module:
        """The network that validation sees and that is kept."""
        return self.network if self.average is None else self.average.module

    def set_rates(self, step: int) -> None:
        """Give the optimiser the learning rate and the weight decay of a step, counted from 0."""
        settings = self.settings
        rate = settings.learning_rate * rate_factor(settings.schedule, step, self.steps, settings.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        first, last = settings.weight_decay, settings.weight_decay_end
        network = self.optimizer.param_groups[0]
        network["weight_decay"] = first if last is None else decay_at(step, self.steps, first, last)


def make_learner(
    case: Problem, task_names: Sequence[str], method: Method, settings: Settings, accelerator: Accelerator, steps: int
) -> Learner:
    """The learner of a run; draws the network from torch's generator.

    Raises:
        ValueError: If all steps would warm up, or the network cannot begin as ``settings.start`` says.
    """
    if settings.warmup >= steps:
        raise ValueError(f"warmup must be less than all {steps} steps of the training, got {settings.warmup}")
    tasks = Tasks([copy.deepcopy(case.tasks[name]) for name in task_names]).to(accelerator.device)
    network = case.model(task_names)
    if settings.start == "labels":
        begin_at_labels(network, tasks, case)
    model = accelerator.prepare(network)
    balancer = Balancer(copy.deepcopy(method), model, tasks=tasks, probe_every=PROBE_EVERY).to(accelerator.device)
    balancer.expect("end_epoch", "observe")  # after each epoch, however long
    optimizer = _optimizer(network, balancer, tasks, settings)
    average = None if settings.average is None else averaged(network, settings.average)
    return Learner(accelerator, settings, steps, model, network, tasks, balancer, optimizer, average)


def _optimizer(network: nn.Module, balancer: Balancer, tasks: Tasks, settings: Settings) -> torch.optim.Optimizer:
    learnt_beside = [*balancer.parameters(), *tasks.parameters()]  # decay would pull what they mean towards 0
    groups: list[dict[str, Any]] = [{"params": list(network.parameters())}]
    if learnt_beside:
        groups.append({"params": learnt_beside, "weight_decay": 0.0})
    return torch.optim.AdamW(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
