"""How the tasks' gradients agree in each part of the network, once an epoch."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import torch
from accelerate.utils import send_to_device
from torch import Tensor, nn

from equipoise.tasks import Tasks

Row = tuple[str, str, float]  # "task|task", quantity, value
COSINE_IN = "cosine in "  # then the part's name


def layer_rows(network: nn.Module, tasks: Tasks, inputs: Any, targets: Mapping[str, Tensor]) -> list[Row]:
    """The cosine of each two tasks' gradients by each part that both reach.

    The network is looked at in evaluation mode, so nothing is drawn and nothing moves; it is left in training mode.

    Args:
        network: Its parameters that two tasks reach fall into parts: the submodules just below the deepest module that
            holds them all.
        tasks: With their losses; tasks without a label in the batch are left out.
        inputs: Of one batch.
        targets: Of the same batch, by target name.
    """
    named = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
    network.eval()
    losses = tasks.losses(network(inputs), targets)
    gradients = {
        task: dict(zip(named, _gradients(loss, list(named.values())), strict=True)) for task, loss in losses.items()
    }
    network.train()
    shared = [name for name in named if sum(found[name] is not None for found in gradients.values()) > 1]
    rows = []
    for part, names in parts_of(shared).items():
        for a, b in combinations(gradients, 2):
            cosine = _cosine([(gradients[a][name], gradients[b][name]) for name in names])
            if cosine is not None:
                rows.append((f"{a}|{b}", f"{COSINE_IN}{part}", cosine))
    return rows


def spread_batch(
    split: Any, collate: Callable[[list[Any]], tuple[Any, Any]], size: int, device: torch.device
) -> tuple[Any, Any]:
    """So many samples of a split, evenly spread over it, as one batch on the device."""
    places = torch.linspace(0, len(split) - 1, min(size, len(split))).round().int().tolist()
    batch: tuple[Any, Any] = send_to_device(collate([split[place] for place in places]), device)
    return batch


def parts_of(names: Sequence[str]) -> dict[str, list[str]]:
    """Names of parameters by the submodule just below what all have in common.

    >>> parts_of(["encoder.table.weight", "encoder.mix.0.weight", "encoder.mix.0.bias"])
    {'encoder.table': ['encoder.table.weight'], 'encoder.mix': ['encoder.mix.0.weight', 'encoder.mix.0.bias']}
    """
    paths = [name.split(".")[:-1] for name in names]  # of the modules that hold them
    depth = 0
    while paths and all(len(path) > depth for path in paths) and len({path[depth] for path in paths}) == 1:
        depth += 1
    parts: dict[str, list[str]] = {}
    for name, path in zip(names, paths, strict=True):
        parts.setdefault(".".join(path[: depth + 1]) or name, []).append(name)
    return parts


def _gradients(loss: Tensor, parameters: Sequence[Tensor]) -> Sequence[Tensor | None]:
    if not loss.requires_grad:
        return [None] * len(parameters)
    found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return [gradient.to_dense() if gradient is not None and gradient.is_sparse else gradient for gradient in found]


def _cosine(pairs: Sequence[tuple[Tensor | None, Tensor | None]]) -> float | None:
    """Of two gradients given by their pieces; None where one is nothing or zero."""
    product, first, second = 0.0, 0.0, 0.0
    for a, b in pairs:
        if a is not None:
            first += float(a.double().square().sum())
        if b is not None:
            second += float(b.double().square().sum())
        if a is not None and b is not None:
            product += float((a.double() * b.double()).sum())
    scale = (first * second) ** 0.5
    return product / scale if 0 < scale < float("inf") else None
