"""What is measured while a network trains: means over an epoch, agreement of gradients by layer, and peak memory."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import isfinite, log10, nan
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object, send_to_device
from torch import Tensor, nn

from equipoise.gradients.graph import graph_of
from equipoise.gradients.measure import measure
from equipoise.lab.settings import MANY_TASKS, a_few
from equipoise.record import Record
from equipoise.tasks import Tasks

Row = tuple[str, str, float]  # "task|task", quantity, value
COSINE_IN = "cosine in "  # then the part's name
_PROCESS = Path("/proc/self")  # Linux


class Means:
    """Running weighted means of named floats, without NaN.

    Args:
        tasks: Names of those whose records are taken in, of which ``a_few`` are kept by pair.
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        self._paired = frozenset(a_few(tasks))
        self._sums: dict[tuple[str, str], tuple[float, float]] = {}  # sum of weight · value, sum of weight

    def add(self, quantity: str, values: Mapping[str, float], counts: Mapping[str, float] | None = None) -> None:
        """Take in one value per task, each counting once or ``counts`` times."""
        for task, value in values.items():
            if value == value:
                weight = 1.0 if counts is None else counts[task]
                total, weights = self._sums.get((task, quantity), (0.0, 0.0))
                self._sums[task, quantity] = (total + weight * value, weights + weight)

    def add_record(self, record: Record) -> None:
        """Take in what a step did: weight, gradient_norm, parts of losses, and what the gramian says of the tasks."""
        self.add("weight", record.weights)
        self.add("gradient_norm", record.norms)
        for task, parts in record.parts.items():
            for name, value in parts.items():
                self.add(f"part {name}", {task: value})
        matrices = {"cosine": record.cosines, "magnitude_similarity": record.magnitude_similarity}
        for quantity, matrix in matrices.items():
            if matrix is not None:
                kept = [place for place, name in enumerate(record.names) if name in self._paired]
                values = matrix[kept][:, kept].tolist()
                pairs = combinations(enumerate(record.names[place] for place in kept), 2)
                self.add(quantity, {f"{a}|{b}": values[i][j] for (i, a), (j, b) in pairs})
        if 1 < len(record.names) <= MANY_TASKS and record.condition_number is not None:
            # its logarithm: the largest of a few steps would drown the others; a singular step has none
            self.add("log10_condition_number", {"all": _log10(record.condition_number)})

    def of_all_processes(self) -> "Means":
        """The means over what all processes took in, the same in each."""
        together = Means(())
        for sums in gather_object([self._sums]):
            for key, (total, weight) in sums.items():
                before = together._sums.get(key, (0.0, 0.0))
                together._sums[key] = (before[0] + total, before[1] + weight)
        return together

    def rows(self) -> list[tuple[str, str, float]]:
        """(task, quantity, mean), in the order of first arrival."""
        return [(task, quantity, total / weight) for (task, quantity), (total, weight) in self._sums.items()]


def _log10(value: float) -> float:
    return log10(value) if isfinite(value) else nan


def layer_rows(network: nn.Module, tasks: Tasks, inputs: Any, targets: Mapping[str, Tensor]) -> list[Row]:
    """The cosine of each two tasks' gradients by each part that both reach; of many tasks that of ``a_few``.

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
    looked = tasks if len(tasks) <= MANY_TASKS else Tasks([tasks[name] for name in a_few(tasks.names)])
    losses = {task: loss for task, loss in looked.losses(network(inputs), targets).items() if loss.requires_grad}
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


def reset_peak(device: torch.device) -> None:
    """Begin to look for the peak anew."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif (_PROCESS / "clear_refs").exists():
        (_PROCESS / "clear_refs").write_text("5")


def peak_mb(device: torch.device) -> float:
    """The peak since then in 10^6 bytes: what torch held on a GPU, else resident memory; NaN if nobody tells."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    if not (_PROCESS / "status").exists():
        return math.nan
    lines = (_PROCESS / "status").read_text(encoding="utf-8").splitlines()
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:")), math.nan)
