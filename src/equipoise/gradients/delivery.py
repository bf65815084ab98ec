"""From losses and a decision to the gradient of every leaf."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from equipoise.gradients.graph import Graph, graph_of
from equipoise.gradients.jacobian import Jacobian
from equipoise.gradients.parts import part_of
from equipoise.gradients.plan import Plan
from equipoise.gradients.products import scaled
from equipoise.gradients.roles import Roles
from equipoise.gradients.routes import Wanted, met_hooks, seed, weighted_pass
from equipoise.plain import zeros_like

Decision = tuple[Tensor, list[Tensor] | None]  # weights [K], and a mixture of the rows if it is not their weighted sum
Decide = Callable[[Jacobian, list[Tensor]], Decision]  # the jacobian, and all other gradients -> the decision


@dataclass
class Delivery:
    """One step: K losses, the leaves they reach, and where the gramian is measured."""

    losses: list[Tensor]
    graph: Graph
    roles: Roles
    jacobian: Jacobian
    heads: Literal["raw", "weighted"]
    decide: Decide

    def at_shared(self, plan: Plan, incoming: Tensor) -> list[Tensor | None]:
        """Gramian of all shared parameters; their gradient is the weighted sum of the tasks' gradients."""
        rest = self._differentiate(self.roles.shared, incoming, plan, keep=self.graph.is_kept())
        return self.of_filled(rest)

    def of_filled(self, rest: "Rest") -> list[Tensor | None]:
        """The same where all gradients are there already: those of shared parameters in the jacobian."""
        weights, mixture = self.decide(self.jacobian, rest.all())
        shared = self.jacobian.combine(weights) if mixture is None else mixture
        return [*shared, *self._unshared(rest, weights)]

    def at_parameters(self, plan: Plan, chosen: Sequence[Tensor], incoming: Tensor) -> list[Tensor | None]:
        """Gramian of chosen parameters by K passes that end there, then one pass for all that is shared."""
        rest = self._differentiate(chosen, incoming, plan, keep=True)
        weights, _ = self.decide(self.jacobian, rest.all())
        return [*self._jointly(weights, incoming), *self._unshared(rest, weights)]

    def at_representation(self, plan: Plan, representation: Tensor, incoming: Tensor) -> list[Tensor | None]:
        """Gramian of the gradients by a representation, then one pass from there down to the trunk."""
        rest = self._differentiate([representation], incoming, plan, keep=True)
        weights, _ = self.decide(self.jacobian, rest.all())
        around = graph_of(self.losses, stop=representation).leaves
        if any(leaf in around for leaf in self.roles.shared):
            shared = self._jointly(weights, incoming)  # a path leads around the representation
        else:
            (combined,) = self.jacobian.combine(weights)
            with met_hooks(representation, combined):
                shared = weighted_pass([representation], self.roles.shared, [combined], keep=self.graph.is_kept())
        return [*shared, *self._unshared(rest, weights)]

    def measure(self, measured: Sequence[Tensor], plan: Plan, incoming: Tensor) -> None:
        """Measure the gramian, deliver nothing, leave the graph alive."""
        self._differentiate(measured, incoming, plan, keep=True)
        self.decide(self.jacobian, [])

    def _differentiate(self, measured: Sequence[Tensor], incoming: Tensor, plan: Plan, keep: bool) -> "Rest":
        """Fill the jacobian with gradients by the measured tensors; return those by private and outside leaves."""
        num_tasks = len(self.losses)
        self.jacobian.prepare(measured, num_tasks, plan.layers, plan.spread, plan.lengths)
        own = self.roles.wanted(num_tasks)
        rest = Rest(own)
        wanted = Wanted(self.losses, self.graph, self.jacobian.wanted, own, incoming, keep)
        for found in plan.passes(wanted):
            self.jacobian.write(found.tasks, found.shared)
            for k, gradients in zip(found.tasks, found.own, strict=True):
                rest.add(k, gradients)
            del found, gradients  # the next pass needs their room
        self.jacobian.average(num_tasks)
        return rest

    def _jointly(self, weights: Tensor, incoming: Tensor) -> list[Tensor]:
        """One pass with the weights as seeds; their power of two is applied afterwards, lest a seed overflows."""
        factors = weights.tolist()
        power = 2.0 ** math.frexp(max(map(abs, factors)))[1]
        taking = [k for k, factor in enumerate(factors) if factor != 0]  # 0 · inf would be NaN
        seeds = [seed(self.losses[k], incoming) * (factors[k] / power) for k in taking]
        outputs = [self.losses[k] for k in taking]
        gradients = weighted_pass(outputs, self.roles.shared, seeds, keep=self.graph.is_kept())
        return [scaled(gradient, power) for gradient in gradients]

    def _unshared(self, rest: "Rest", weights: Tensor) -> list[Tensor | None]:
        scales = weights.tolist() if self.heads == "weighted" else [1.0] * len(weights)
        private: list[Tensor | None] = []
        for leaf, k in self.roles.private:
            gradient = rest.by_leaf.get(leaf)
            private.append(None if gradient is None else scaled(gradient, scales[k]))
        outside = [rest.by_leaf.get(leaf) if mask else zeros_like(leaf) for leaf, mask in self.roles.outside]
        return [*private, *outside, *(None for _ in self.roles.idle)]


class Rest:
    """Gradients by the leaves that are not measured, summed over the tasks that reach them."""

    def __init__(self, wanted: Sequence[Sequence[Tensor]]) -> None:
        self._wanted = wanted
        self.by_leaf: dict[Tensor, Tensor] = {}

    def add(self, task: int, gradients: Sequence[Tensor | None]) -> None:
        for leaf, gradient in zip(self._wanted[task], gradients, strict=True):
            if gradient is not None:
                before = self.by_leaf.get(leaf)
                self.by_leaf[leaf] = gradient if before is None else before + gradient

    def all(self) -> list[Tensor]:
        """The numbers of all of them."""
        values = (g.coalesce().values() if g.is_sparse else part_of(g, like=g) for g in self.by_leaf.values())
        return [value for value in values if value.numel()]
