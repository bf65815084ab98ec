"""How the tasks' gradients agree in each part of the network, once an epoch."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import torch
from accelerate.utils import send_to_device
from torch import Tensor, nn

from equipoise.gradients.graph import graph_of
from equipoise.gradients.measure import measure
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
    losses = {task: loss for task, loss in tasks.losses(network(inputs), targets).items() if loss.requires_grad}
    each = list(losses.values())
    measured = measure(each, graph_of(each), named, [()] * len(each)) if each else None
    network.train()
    if measured is None:
        return []
    shared = [name for name, found in measured.gradients.items() if sum(g is not None for g in found) > 1]
    rows = []
    for part, names in parts_of(shared).items():
        products = measured.total(names).tolist()
        for (i, a), (j, b) in combinations(enumerate(losses), 2):
            scale = (products[i][i] * products[j][j]) ** 0.5
            if 0 < scale < float("inf"):
                rows.append((f"{a}|{b}", f"{COSINE_IN}{part}", products[i][j] / scale))
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
