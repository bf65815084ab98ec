"""From a plan to the jacobian of a step, and from weights to the gradient of every leaf."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from torch import Tensor

from equipoise.gradients.graph import Graph, graph_of
from equipoise.gradients.jacobian import Jacobian
from equipoise.gradients.parts import part_of
from equipoise.gradients.plan import RoutePlan
from equipoise.gradients.products import scaled
from equipoise.gradients.roles import Roles
from equipoise.gradients.routes import Wanted, seed, skip_fired_hooks, weighted_pass
from equipoise.plain import PLAIN, zeros_like


class UnsharedGradients:
    """Gradients by the leaves that are not measured, summed over the tasks that reach them."""

    def __init__(self, wanted: Sequence[Sequence[Tensor]]) -> None:
        self._wanted = wanted
        self.by_leaf: dict[Tensor, Tensor] = {}

    def add(self, task: int, gradients: Sequence[Tensor | None]) -> None:
        for leaf, gradient in zip(self._wanted[task], gradients, strict=True):
            if gradient is not None:
                before = self.by_leaf.get(leaf)
                self.by_leaf[leaf] = gradient if before is None else before + gradient

    def numbers(self) -> list[Tensor]:
        """The numbers of all of them."""
        values = [g.coalesce().values() if g.is_sparse else g for g in self.by_leaf.values()]
        parts = values if PLAIN.issuperset(map(type, values)) else [part_of(value, like=value) for value in values]
        return [part for part in parts if part.numel()]


def fill(
    jacobian: Jacobian,
    measured: Sequence[Tensor],
    plan: RoutePlan,
    losses: Sequence[Tensor],
    graph: Graph,
    own: Sequence[Sequence[Tensor]],
    incoming: Tensor,
    keep: bool,
) -> UnsharedGradients:
    """Fill the jacobian with gradients of the losses by the measured tensors; the backward passes of the plan.

    Args:
        jacobian: Row k becomes the gradient of loss k.
        measured: What its columns belong to.
        plan: How the gradients are taken.
        losses: K scalars.
        graph: Of these.
        own: For each loss, further leaves, whose gradients are returned.
        incoming: The gradient [] that each backward starts from.
        keep: Leave the graph alive.
    """
    num_tasks = len(losses)
    jacobian.prepare(measured, num_tasks, plan.layers, plan.spread, plan.lengths)
    unshared = UnsharedGradients(own)
    for found in plan.passes(Wanted(losses, graph, jacobian.wanted, own, incoming, keep)):
        jacobian.write(found.tasks, found.shared)
        for k, gradients in zip(found.tasks, found.own, strict=True):
            unshared.add(k, gradients)
        del found, gradients  # the next pass needs their room
    jacobian.average(num_tasks)
    return unshared


def jointly(
    losses: Sequence[Tensor], graph: Graph, leaves: Sequence[Tensor], weights: Tensor, incoming: Tensor
) -> list[Tensor]:
    """sum_k weights[k] g_k by the leaves, by one pass with the weights as seeds.

    Their power of two is applied afterwards, lest a seed overflows.
    """
    factors = weights.tolist()
    power = 2.0 ** math.frexp(max(map(abs, factors)))[1]
    taking = [k for k, factor in enumerate(factors) if factor != 0]  # 0 · inf would be NaN
    seeds = [seed(losses[k], incoming) * (factors[k] / power) for k in taking]
    gradients = weighted_pass([losses[k] for k in taking], leaves, seeds, keep=graph.is_kept())
    return [scaled(gradient, power) for gradient in gradients]


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
    around = graph_of(losses, stop=representation).leaves
    if any(leaf in around for leaf in leaves):
        return jointly(losses, graph, leaves, weights, incoming)
    (combined,) = jacobian.combine(weights)
    with skip_fired_hooks(representation, combined):
        return weighted_pass([representation], leaves, [combined], keep=graph.is_kept())


def in_order(
    roles: Roles,
    shared: Sequence[Tensor | None],
    by_leaf: Mapping[Tensor, Tensor | None],
    heads: Literal["raw", "weighted"],
    factors: Sequence[float],
) -> list[Tensor | None]:
    """The gradient of every leaf, in the order of ``roles.leaves``.

    ``shared`` are those of shared parameters, ``by_leaf`` those of others; private ones take their task's factor if
    heads are weighted.
    """
    private: list[Tensor | None] = []
    for leaf, k in roles.private:
        gradient = by_leaf.get(leaf)
        private.append(gradient if gradient is None or heads == "raw" else scaled(gradient, factors[k]))
    outside = [by_leaf.get(leaf) if mask else zeros_like(leaf) for leaf, mask in roles.outside]
    return [*shared, *private, *outside, *(None for _ in roles.idle)]
