"""Gradients where FSDP2 (``fully_shard``) makes them: its parameters are in no graph, its hooks fill ``.grad``."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import Tensor

from equipoise.gradients.routes import Found, Wanted, alone, seed


def harvested(wanted: Wanted) -> Iterator[Found]:
    """One whole backward pass per task, whose gradients are taken from ``.grad``; what was there before is put back."""
    for k, loss in enumerate(wanted.losses):
        points = [point for point in [*wanted.shared, *wanted.own[k]] if isinstance(point, Tensor)]
        with _without_gradients(wanted.graph.leaves):
            loss.backward(seed(loss, wanted.incoming), retain_graph=wanted.keep or k < len(wanted.losses) - 1)
            gradients = [point.grad for point in points]
        yield alone(k, gradients, wanted.shared)


@contextmanager
def _without_gradients(leaves: Iterable[Tensor]) -> Iterator[None]:
    aside = [(leaf, leaf.grad) for leaf in leaves]
    for leaf, _ in aside:
        leaf.grad = None
    try:
        yield
    finally:
        for leaf, gradient in aside:
            leaf.grad = gradient
