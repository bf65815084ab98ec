"""The tasks' gradients of one step, looked at and not delivered: inner products in all, and by part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from equipoise.gradients.graph import Graph
from equipoise.gradients.products import exact_products
from equipoise.gradients.routes import Point, Wanted, sequential


@dataclass
class Measured:
    """K gradients by each of some tensors, by name, and norms by each task's own."""

    gradients: Mapping[str, Sequence[Tensor | None]]  # K by each tensor; ``None`` where a task does not reach it
    by_name: dict[str, Tensor]  # their products [K, K] in float64 on the CPU
    own: Tensor  # [K] norms

    def total(self, names: Sequence[str]) -> Tensor:
        """Products [K, K] by all tensors of these names."""
        return sum((self.by_name[name] for name in names), torch.zeros_like(self.own.outer(self.own)))

    def jacobian(self, names: Sequence[str]) -> Tensor:
        """The gradients [K, P] by all tensors of these names, which some task reaches."""
        columns = []
        for name in names:
            like = next(gradient for gradient in self.gradients[name] if gradient is not None)
            rows = [torch.zeros_like(like) if g is None else g for g in self.gradients[name]]
            columns.append(torch.stack([_dense(row).flatten() for row in rows]))
        return torch.cat(columns, dim=1)

    def by_module(self, names: Sequence[str]) -> dict[str, Tensor]:
        """[K, K] by the tensors of these names below each top-level module."""
        return self._joined({name: name.partition(".")[0] for name in names})

    def by_layer(self, names: Sequence[str]) -> dict[str, Tensor]:
        """[K, K] by the tensors of these names in each innermost module; a tensor outside of any stands for itself."""
        return self._joined({name: name.rpartition(".")[0] or name for name in names})

    def _joined(self, parts: Mapping[str, str]) -> dict[str, Tensor]:
        places = dict.fromkeys(parts.values())
        return {place: self.total([name for name, part in parts.items() if part == place]) for place in places}

    def single_task_tensors(self, names: Sequence[str]) -> list[str]:
        """Where one task alone has a gradient, though another has one elsewhere."""
        if int(self.total(names).diagonal().count_nonzero()) < 2:
            return []
        return [name for name in names if int(self.by_name[name].diagonal().count_nonzero()) == 1]


def measure(
    losses: Sequence[Tensor], graph: Graph, points: Mapping[str, Tensor], own: Sequence[Sequence[Tensor]]
) -> Measured:
    """One backward pass per loss, by the points and by each task's own leaves; the graph lives on.

    All K gradients by the points are held at once.
    """
    incoming = torch.ones((), device=losses[0].device, dtype=losses[0].dtype)
    asked: list[Point] = list(points.values())
    rows: list[list[Tensor | None]] = []
    squares: list[Tensor] = []
    nothing = torch.zeros((), dtype=torch.float64, device="cpu")
    with torch.autocast(incoming.device.type, enabled=False):
        for found in sequential(Wanted(losses, graph, asked, own, incoming, keep=True)):
            rows.append([None if gradient is None else gradient.detach() for gradient in found.shared])
            mine = [_dense(gradient).double().square().sum().cpu() for gradient in found.own[0] if gradient is not None]
            squares.append(sum(mine, nothing))
    if not rows:  # no task has anything to be differentiated by
        squares = [nothing for _ in losses]
    gradients = {name: [row[i] for row in rows] for i, name in enumerate(points)}
    by_name = {name: _products(each) for name, each in gradients.items()}
    return Measured(gradients, by_name, torch.stack(squares).sqrt())


def _products(gradients: Sequence[Tensor | None]) -> Tensor:
    """[K, K]; ``None`` is a zero."""
    products = torch.zeros(len(gradients), len(gradients), dtype=torch.float64, device="cpu")
    rows = {k: _dense(gradient).flatten() for k, gradient in enumerate(gradients) if gradient is not None}
    if rows:
        places = torch.tensor(list(rows), device="cpu")
        products[places[:, None], places] = exact_products(torch.stack(list(rows.values()))).cpu()
    return products


def _dense(gradient: Tensor) -> Tensor:
    return gradient.to_dense() if gradient.is_sparse else gradient
