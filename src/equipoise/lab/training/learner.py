"""What learns in a run: the network, what is learnt beside it, and what makes them learn."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from equipoise.balancer import Balancer
from equipoise.lab.cases import Case
from equipoise.lab.models.encoders import WeightedBag
from equipoise.lab.settings import MANY_TASKS, Settings
from equipoise.lab.training.start import begin_at_labels
from equipoise.method import Method
from equipoise.tasks import Tasks

PROBE_EVERY = 10


def probe_every(tasks: int) -> int:
    """Steps between two measurements of the gradients, for methods that need none: 10, and of more than 20 tasks more.

    As a measurement takes K² products, 10 times the square of K / 20 steps then take as long with it as at 20 tasks.

    >>> probe_every(3), probe_every(40), probe_every(600)
    (10, 40, 9000)
    """
    return PROBE_EVERY * math.ceil(max(1.0, tasks / MANY_TASKS) ** 2)


def rate_factor(schedule: str, step: int, steps: int, warmup: int) -> float:
    """What the learning rate is multiplied by in a step, 0 to 1: a function of its number, so resuming needs no state.

    step: He et al., Deep Residual Learning for Image Recognition, CVPR 2016, section 4.2.
    cosine: Loshchilov, Hutter, SGDR, ICLR 2017, eq. (5), without restarts.

    (step + 1) / warmup while warming up; then, t being the share of the other steps that is done, 1 (constant), 1 - t
    (linear), (1 + cos(pi t)) / 2 (cosine), or a tenth of it after t = 1/2 and a hundredth after t = 3/4 (step).

    Args:
        schedule: ``constant``, ``linear``, ``cosine`` or ``step``.
        step: Counted from 0, below ``steps``.
        steps: Of the whole training.
        warmup: How many of them warm up, fewer than all.

    >>> [rate_factor("linear", step, steps=6, warmup=2) for step in range(6)]
    [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / (steps - warmup)
    if schedule == "linear":
        return 1 - done
    if schedule == "cosine":
        return (1 + math.cos(math.pi * done)) / 2
    if schedule == "step":
        return 1.0 if done < 1 / 2 else 0.1 if done < 3 / 4 else 0.01
    return 1.0


def decay_at(step: int, steps: int, first: float, last: float) -> float:
    """The weight decay of a step: last + (first - last) (1 + cos(pi step / steps)) / 2.

    Caron et al., Emerging Properties in Self-Supervised Vision Transformers, ICCV 2021, section 3.2.

    >>> [round(decay_at(step, 4, first=0.0, last=1.0), 3) for step in range(4)]
    [0.0, 0.146, 0.5, 0.854]
    """
    return last + (first - last) * (1 + math.cos(math.pi * step / steps)) / 2


def averaged(network: nn.Module, beta: float) -> AveragedModel:
    """A copy of the network with w <- beta w + (1 - beta) theta at each ``update_parameters(network)``.

    Polyak, Juditsky, Acceleration of Stochastic Approximation by Averaging, SIAM J. Control and Optimization 30(4),
    1992; in this form Tarvainen, Valpola, Mean teachers are better role models, NeurIPS 2017, eq. (1).

    The first update copies. Statistics of batch normalisation are averaged like weights; whole numbers are copied.
    """
    return AveragedModel(network, multi_avg_fn=partial(_mean, beta), use_buffers=True)


@torch.no_grad()
def _mean(beta: float, average: Sequence[Tensor], now: Sequence[Tensor], _: Any) -> None:
    for mean, tensor in zip(average, now, strict=True):
        if mean.is_floating_point() or mean.is_complex():
            mean.lerp_(tensor, 1 - beta)
        else:
            mean.copy_(tensor)  # a mean of indices or counts would be cut to a whole number


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
    case: Case, task_names: Sequence[str], method: Method, settings: Settings, accelerator: Accelerator, steps: int
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
    balancer = Balancer(copy.deepcopy(method), model, tasks=tasks, probe_every=probe_every(len(tasks))).to(
        accelerator.device
    )
    balancer.expect("end_epoch", "observe")  # after each epoch, however long
    optimizer = _optimizer(network, balancer, tasks, settings)
    average = averaged(network, settings.average) if settings.average else None
    return Learner(accelerator, settings, steps, model, network, tasks, balancer, optimizer, average)


def _optimizer(network: nn.Module, balancer: Balancer, tasks: Tasks, settings: Settings) -> torch.optim.Optimizer:
    learnt_beside = [*balancer.parameters(), *tasks.parameters()]  # decay would pull what they mean towards 0
    groups: list[dict[str, Any]] = [{"params": list(network.parameters())}]
    if learnt_beside:
        groups.append({"params": learnt_beside, "weight_decay": 0.0})
    rate, decay = settings.learning_rate, settings.weight_decay
    optimizer = torch.optim.AdamW(groups, lr=rate, weight_decay=decay, fused=True)
    bags = [bag.embedding.weight for bag in network.modules() if isinstance(bag, WeightedBag)]
    optimizer.register_step_post_hook(lambda *_: share_second_moment(optimizer, bags))
    return optimizer


def share_second_moment(optimizer: torch.optim.Optimizer, weights: Sequence[Tensor]) -> None:
    """Give all numbers of a weight the mean of their second moments, as if after each of Adam's steps.

    Then Adam steps along the gradient's own direction, and what a number is moved by depends on how large its errors
    were. As in Ginsburg et al., Stochastic Gradient Methods with Layer-wise Adaptive Moments for Training of Deep
    Networks, 2019 (NovoGrad), but for the momentum.
    """
    for weight in weights:
        if state := optimizer.state.get(weight):
            state["exp_avg_sq"].fill_(state["exp_avg_sq"].mean())
