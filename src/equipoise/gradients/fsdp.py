"""Gradients where FSDP2 (``fully_shard``) makes them: its parameters are in no graph, its hooks fill ``.grad``.

Its own names are not promised by PyTorch; the tests hold them.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch.distributed as dist
from torch import Tensor, nn

from equipoise.gradients.graph import Graph
from equipoise.gradients.routes import Found, Wanted, alone, seed


def gathered_by_fsdp(module: nn.Module) -> Mapping[Tensor, Tensor]:
    """Gathered parameter, as the graph of a loss has it -> sharded parameter, as the optimiser has it."""
    if not (dist.is_available() and dist.is_initialized()):
        return {}
    parts: list[Any] = [part for part in module.modules() if hasattr(part, "_get_fsdp_state")]
    states = [part._get_fsdp_state() for part in parts]
    parameters = [p for state in states for group in state._fsdp_param_groups for p in group.fsdp_params]
    return {p.unsharded_param: p.sharded_param for p in parameters if hasattr(p, "_unsharded_param")}


def flattened_by_fsdp(module: nn.Module) -> Mapping[Tensor, Tensor]:
    """Parameter, as FSDP1 shows it (``use_orig_params=True``) -> the flat one that it lies in, as the graph has it."""
    if not (dist.is_available() and dist.is_initialized()):
        return {}
    flats = [getattr(getattr(part, "_handle", None), "flat_param", None) for part in module.modules()]
    return {parameter: flat for flat in flats if flat is not None for parameter in flat._params or ()}


def with_sharded(graph: Graph, gathered: Mapping[Tensor, Tensor]) -> Graph:
    """The graph, whose leaves are the sharded parameters in the place of the gathered ones."""
    graph.leaves = {gathered.get(leaf, leaf): mask for leaf, mask in graph.leaves.items()}
    return graph


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
