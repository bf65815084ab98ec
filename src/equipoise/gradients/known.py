"""The weighted gradient by one backward pass, at weights that need no gradients or were decided by some."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from equipoise.gradients.graph import Graph
from equipoise.gradients.jacobian import Jacobian
from equipoise.gradients.parts import part_of
from equipoise.gradients.products import scaled
from equipoise.gradients.ranks import Ranks
from equipoise.gradients.roles import Roles
from equipoise.gradients.routes import apart, differentiate, seed, skip_fired_hooks, weighted_pass
from equipoise.plain import zeros_like

_NEAR_ONE = (0.01, 100.0)  # largest weights with which no gradient leaves its dtype on the way


def at_known(
    losses: Sequence[Tensor],
    graph: Graph,
    roles: Roles,
    heads: Literal["raw", "weighted"],
    weights: Tensor,
    incoming: Tensor,
) -> list[Tensor | None]:
    """The gradient of every leaf in the order of ``roles.leaves``: sum_k w_k g_k, w the finite ``weights`` [K].

    The pass starts unweighted, so that what one task alone reaches has its own gradient there; what a task's own
    nodes hand on to nodes that several tasks reach is weighted on the way. A weight of 0 hands on nothing: 0 · inf
    would be NaN. Leaves outside that several tasks reach need the total's gradient, and so a pass of their own; below
    joined outputs so do the leaves of single tasks. A backward that is not linear meets the weighted sum, and not each
    task's gradient.
    """
    factors = weights.tolist()
    power = _power_of(factors)
    seeds = [seed(loss, incoming) for loss in losses]
    passes_single = not graph.along  # nodes of several tasks lead to none of a single task
    unweighted = [leaf for leaf, mask in roles.outside if mask.bit_count() > 1 or not passes_single]
    unweighted += [] if passes_single else [leaf for leaf, _ in roles.private]
    total = dict(zip(unweighted, weighted_pass(losses, unweighted, seeds, keep=True), strict=True))

    outputs = []
    for k, root in enumerate(graph.roots):
        is_weighted = not passes_single or graph.bits(root.node).bit_count() > 1
        factor = factors[k] / power if is_weighted else 1.0
        if factor != 0:
            outputs.append((losses[k], seeds[k] if factor == 1 else seeds[k] * factor))
    leaves = [leaf for leaf in roles.leaves if leaf in graph.leaves and leaf not in total]
    found: dict[Tensor, Tensor | None] = dict(total)
    if outputs and leaves:
        with _weighing(graph, [factor / power for factor in factors]) if passes_single else nullcontext():
            starts, their_seeds = zip(*outputs, strict=True)
            gradients = apart(differentiate(starts, leaves, their_seeds, keep=graph.is_kept()))
        found.update(zip(leaves, gradients, strict=True))

    shared: list[Tensor | None] = []
    for leaf in roles.shared:
        mask, gradient = graph.leaves.get(leaf, 0), found.get(leaf)
        factor = power if mask.bit_count() > 1 or not passes_single else factors[mask.bit_length() - 1]
        shared.append(zeros_like(leaf) if gradient is None or factor == 0 else scaled(gradient, factor))
    return roles.in_order(shared, found, heads, factors)


def jointly(
    losses: Sequence[Tensor], graph: Graph, leaves: Sequence[Tensor], weights: Tensor, incoming: Tensor
) -> list[Tensor]:
    """sum_k weights[k] g_k by the leaves, by one pass with the weights as seeds.

    Their power of two is applied afterwards, lest a seed overflows.
    """
    factors = weights.tolist()
    power = _power_of(factors)
    taking = [k for k, factor in enumerate(factors) if factor != 0]  # 0 · inf would be NaN
    seeds = [seed(losses[k], incoming) * (factors[k] / power) for k in taking]
    gradients = weighted_pass([losses[k] for k in taking], leaves, seeds, keep=graph.is_kept())
    for place, gradient in enumerate(gradients):
        gradients[place] = scaled(gradient, power)  # one after the other: two of all are never there
    return gradients


def _power_of(factors: Sequence[float]) -> float:
    """What to divide weights by, a power of two, so that no gradient leaves its dtype on the way."""
    largest = max(map(abs, factors))
    return 1.0 if _NEAR_ONE[0] < largest < _NEAR_ONE[1] else 2.0 ** math.frexp(largest)[1]


def through(
    representation: Tensor,
    losses: Sequence[Tensor],
    graph: Graph,
    leaves: Sequence[Tensor],
    jacobian: Jacobian,
    weights: Tensor,
    incoming: Tensor,
) -> list[Tensor]:
    """The same where the jacobian is by a representation: one pass from there down, if no path leads around it."""
    if not graph.leaves_around(representation).isdisjoint(leaves):
        return jointly(losses, graph, leaves, weights, incoming)
    (combined,) = jacobian.combine(weights)
    with skip_fired_hooks(representation, combined):
        return weighted_pass([representation], leaves, [combined], keep=graph.is_kept())


@contextmanager
def _weighing(graph: Graph, factors: Sequence[float]) -> Iterator[None]:
    """Multiply what the nodes of one task alone hand on to nodes of several by the task's factor."""

    def weigh(factor: float, operands: set[int], gradients: Sequence[Tensor | None], _: Any) -> tuple[Any, ...]:
        return tuple(
            gradient if gradient is None or operand not in operands else gradient * factor if factor != 0 else None
            for operand, gradient in enumerate(gradients)
        )

    handles = []
    for node, mask in graph.nodes.items():
        if mask.bit_count() == 1 and factors[mask.bit_length() - 1] != 1:
            below = [None if edge[0] is None else graph.bits(edge[0]) for edge in graph.below[node]]
            operands = {operand for operand, bits in enumerate(below) if bits is not None and bits.bit_count() > 1}
            if operands:
                factor = factors[mask.bit_length() - 1]
                handles.append(node.register_hook(partial(weigh, factor, operands)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def are_finite(gradients: Sequence[Tensor | None], ranks: Ranks) -> bool:
    """Whether all numbers are finite on all ranks; one wait for the device."""
    parts = [part_of(gradient, like=gradient) for gradient in gradients if gradient is not None]
    if ranks.size == 1:
        return _are_finite(parts)
    device = parts[0].device if parts else torch.device("cpu")
    return not ranks.sum_(torch.tensor(float(not _are_finite(parts)), device=device))


def _are_finite(gradients: Sequence[Tensor]) -> bool:
    dense = [gradient.coalesce().values() if gradient.is_sparse else gradient for gradient in gradients]
    filled = [gradient for gradient in dense if gradient.numel()]
    on_cpu = all(gradient.is_cpu for gradient in filled)  # there a sum is read faster; elsewhere norms are one kernel
    size = sum(float(gradient.sum()) for gradient in filled) if on_cpu else torch.nn.utils.get_total_norm(filled)
    # a size may overflow where no number does
    return math.isfinite(size) or all(bool(gradient.isfinite().all()) for gradient in filled)
