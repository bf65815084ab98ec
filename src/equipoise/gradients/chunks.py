"""The gramian of K gradients of which about P numbers are held at once: by some parameters after others.

Products of gradients are sums over parameters, and a backward pass ends at those that it is asked for. So the
parameters are cut into chunks, nearest to the losses first; each has K passes of its own, and their sum at the weights
that follow is one pass more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from equipoise.gradients.graph import Graph
from equipoise.gradients.jacobian import Jacobian
from equipoise.gradients.layers.layer import Layer
from equipoise.gradients.routes import Found, Wanted, sequential

_COPIES = 5  # of float32 factors: themselves, and while they are multiplied two in float64, each twice as large


class FoldedJacobian(Jacobian):
    """A jacobian that may be gone but for J Jᵀ: some tensors' rows are written, ``fold`` adds up their products."""

    def __init__(self) -> None:
        super().__init__()
        self._folded: Tensor | None = None

    def __reduce__(self) -> tuple[type["FoldedJacobian"], tuple[()]]:
        return FoldedJacobian, ()

    def fold(self, held: range, num_rows: int) -> None:
        """Keep of the rows written, of these tasks, their products in float64, and let go of factors.

        The gramian will be of ``num_rows``.
        """
        parts = [
            *self._rows.exact_products(len(held)),
            *(layer.products(torch.float64).products for layer in self._layers),
        ]
        for layer in self._layers:
            layer.forget()
        rows = slice(held.start, held.stop)
        for products in parts:
            if self._folded is None:
                self._folded = products.new_zeros(num_rows, num_rows)
            self._folded[rows, rows] += products.to(self._folded.device)

    def fold_with(self, held: range, task: int, gradients: Sequence[Tensor | None]) -> None:
        """Keep the products of the rows written, of the tasks ``held``, with a task's gradients, which are not."""
        rows = slice(held.start, held.stop)
        assert self._folded is not None, "held rows are folded first"
        for products in self._rows.products_with(len(held), gradients):
            products = products.to(self._folded.device)
            self._folded[rows, task] += products
            self._folded[task, rows] += products

    def gramian(self, num_rows: int, *extras: Tensor, own: Sequence[Tensor] = ()) -> tuple[Tensor, ...]:
        if self._folded is None:
            return super().gramian(num_rows, *extras, own=own)
        written, *others = super().gramian(num_rows, *extras, self._folded, own=own)
        folded = others.pop()
        return (written + (folded + folded.mT) / 2, *others)

    def release(self) -> None:
        super().release()
        self._folded = None


@dataclass
class Chunk:
    """Tensors whose gradients are taken in passes of their own, and held for so many tasks at once."""

    tensors: list[Tensor]
    layers: list[Layer]
    at_once: int


def chunks_of(measured: Sequence[Tensor], layers: Sequence[Layer], graph: Graph, num_tasks: int) -> list[Chunk]:
    """Chunks that hold no more numbers at once than all tensors have.

    A tensor of which K gradients are more is a chunk of its own, of fewer tasks at once. Factors of a layer are held
    for all tasks; ``fits`` says whether they should be.
    """
    limit = sum(tensor.numel() for tensor in measured)
    distances = _distances(graph)
    factored = {leaf for layer in layers for leaf in layer.leaves}
    parts = [Chunk([tensor], [], num_tasks) for tensor in measured if tensor not in factored]
    parts += [Chunk([*layer.leaves], [layer], num_tasks) for layer in layers]
    parts.sort(key=lambda part: max(distances.get(tensor, 0) for tensor in part.tensors))
    chunks: list[Chunk] = []
    room, filling = 0, None  # of the last chunk for all tasks, which others may follow
    for part in parts:
        needed = _numbers(part, num_tasks)
        if not part.layers and needed > limit:
            part.at_once = limit * num_tasks // needed
        if filling is not None and needed <= room:
            filling.tensors += part.tensors
            filling.layers += part.layers
            room -= needed
            continue
        chunks.append(part)
        if part.at_once == num_tasks:
            room, filling = limit - needed, part
    return chunks


def fits(layer: Layer, measured: Sequence[Tensor], num_tasks: int) -> bool:
    """Whether a layer's factors are no more numbers than all tensors have; of a sparse gradient there are no rows."""
    return layer.is_sparse or _COPIES * layer.gathered(num_tasks) <= sum(tensor.numel() for tensor in measured)


def fold_chunks(
    jacobian: FoldedJacobian, chunks: Sequence[Chunk], losses: Sequence[Tensor], graph: Graph, incoming: Tensor
) -> None:
    """Let the jacobian know the gramian by all chunks; the graph lives on."""
    num_tasks = len(losses)

    def passes(tasks: range) -> Iterator[Found]:
        some, nothing = [losses[k] for k in tasks], [list[Tensor]() for _ in tasks]
        return sequential(Wanted(some, graph, jacobian.points, nothing, incoming, keep=True))

    for chunk in chunks:
        jacobian.prepare(chunk.tensors, chunk.at_once, chunk.layers)
        for first in range(0, num_tasks, chunk.at_once):
            held = range(first, min(first + chunk.at_once, num_tasks))
            for found in passes(held):
                jacobian.write(found.tasks, found.shared, found.is_single)
                del found  # the next pass needs its room
            jacobian.fold(held, num_tasks)
            others = range(held.stop, num_tasks)
            for found in passes(others):  # each comes by those that are held
                jacobian.fold_with(held, others[found.tasks.start], found.shared)
                del found
    jacobian.prepare([], num_tasks)


def _distances(graph: Graph) -> dict[Tensor, int]:
    """How many nodes the longest way from a loss to each leaf has."""
    distance: dict[Any, int] = {}
    for node in graph.nodes:
        far = distance.get(node, 0) + 1
        for below, _ in graph.below[node]:
            distance[below] = max(distance.get(below, 0), far)
    return {leaf: distance.get(node, 0) for node, leaf in graph.accumulators.items()}


def _numbers(part: Chunk, num_tasks: int) -> int:
    """That the gradients of all tasks need."""
    if part.layers:
        return _COPIES * sum(layer.gathered(num_tasks) for layer in part.layers)
    return num_tasks * sum(tensor.numel() for tensor in part.tensors)
