"""What a training step takes with each kind of method, on this network and this machine."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn

import equipoise as eq
from equipoise.lab.models.heads import SharedEncoder
from equipoise.lab.probing.look import Batch

ROUNDS = 9  # of all kinds in turn, after one that is not counted


@dataclass(frozen=True)
class Kind:
    """A kind of method: the method that was timed, and its step in ms and in steps of the plain sum."""

    name: str
    method: str
    milliseconds: float
    ratio: float

    @property
    def is_doubtful(self) -> bool:
        """Whether it seems cheaper than the plain sum, which no method is: the machine did something else."""
        return self.ratio < 1


def measure_kinds(model: nn.Module, tasks: eq.Tasks, batch: Batch) -> tuple[Kind, ...]:
    """Forward, balancing, backward and a step of AdamW for each kind, on copies of the network.

    Kinds take turns, so that a slow moment hits all: a time is the median of the turns, and a ratio that of the ratios
    within one turn.
    """
    kinds = {
        "plain sum": (eq.Sum(), False),
        "loss weighting": (eq.UW(), False),
        "gradient method": (eq.PCGrad(), False),
        **({"at the representation": (eq.PCGrad(), True)} if _represents(model, batch) else {}),
    }
    steps = {name: _stepper(model, tasks, batch, *kind) for name, kind in kinds.items()}
    device = next(model.parameters()).device
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(ROUNDS + 1):
        for name, step in steps.items():
            _wait(device)
            began = time.perf_counter()
            step()
            _wait(device)
            if turn:
                times[name].append(time.perf_counter() - began)
    return tuple(
        Kind(
            name,
            type(method).__name__,
            1000 * median(times[name]),
            median(mine / plain for mine, plain in zip(times[name], times["plain sum"], strict=True)),
        )
        for name, (method, _) in kinds.items()
    )


def _represents(model: nn.Module, batch: Batch) -> bool:
    """Whether all heads read one tensor, of which the network can be cut."""
    return isinstance(model, SharedEncoder) and isinstance(model.encoder(batch[0]), Tensor)


def _stepper(
    model: nn.Module, tasks: eq.Tasks, batch: Batch, method: eq.Method, at_representation: bool
) -> Callable[[], None]:
    model, tasks = copy.deepcopy(model), copy.deepcopy(tasks)
    balancer = eq.Balancer(method, model, tasks=tasks).to(next(model.parameters()).device)
    optimizer = torch.optim.AdamW([*model.parameters(), *balancer.parameters(), *tasks.parameters()], lr=1e-4)
    inputs, targets = batch
    held: list[Tensor] = []
    if at_representation:
        assert isinstance(model, SharedEncoder)
        model.encoder.register_forward_hook(lambda module, args, output: held.append(output))

    def step() -> None:
        held.clear()
        losses = tasks.losses(model(inputs), targets)
        optimizer.zero_grad()
        balancer(losses, representation=held[0] if held else None).backward()
        optimizer.step()

    return step


def _wait(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
