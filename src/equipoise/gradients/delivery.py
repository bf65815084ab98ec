"""From losses and a decision to the gradient of every leaf."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from equipoise.gradients.graph import reached_leaves
from equipoise.gradients.roles import Roles
from equipoise.gradients.routes import ROUTES, seed, sequential, weighted_pass
from equipoise.gradients.rows import Rows

Decision = tuple[Tensor, list[Tensor] | None]  # weights [K], and a mixture of the rows if it is not their weighted sum
Decide = Callable[[Rows, list[Tensor]], Decision]  # the rows, and all other gradients -> the decision


@dataclass
class Delivery:
    """One step: K losses, the leaves they reach, and where the gramian is measured."""

    losses: list[Tensor]
    roles: Roles
    rows: Rows
    route: str
    heads: Literal["raw", "weighted"]
    decide: Decide

    def by_rows(self, incoming: Tensor) -> list[Tensor | None]:
        """Gramian of all shared parameters; their gradient is the weighted sum of the rows."""
        rest = self._differentiate(self.roles.shared, incoming, ROUTES[self.route], keep=graph_is_kept())
        weights, combined = self.decide(self.rows, rest.all())
        shared = self.rows.combine(weights) if combined is None else combined
        return [*shared, *self._unshared(rest, weights)]

    def at_parameters(self, chosen: Sequence[Tensor], incoming: Tensor) -> list[Tensor | None]:
        """Gramian of chosen parameters by K passes that end there, then one pass for all that is shared."""
        rest = self._differentiate(chosen, incoming, sequential, keep=True)
        weights, _ = self.decide(self.rows, rest.all())
        return [*self._jointly(weights, incoming), *self._unshared(rest, weights)]

    def at_representation(self, representation: Tensor, incoming: Tensor) -> list[Tensor | None]:
        """Gramian of the gradients by a representation, then one pass from there down to the trunk."""
        rest = self._differentiate([representation], incoming, sequential, keep=True)
        weights, _ = self.decide(self.rows, rest.all())
        around = reached_leaves(self.losses, stop=representation)
        if any(leaf in around for leaf in self.roles.shared):
            shared = self._jointly(weights, incoming)  # a path leads around the representation
        else:
            combined = self.rows.combine(weights)
            shared = weighted_pass([representation], self.roles.shared, combined, keep=graph_is_kept())
        return [*shared, *self._unshared(rest, weights)]

    def measure(self, measured: Sequence[Tensor], incoming: Tensor) -> None:
        """Measure the gramian, deliver nothing, leave the graph alive."""
        self.rows.prepare(measured, len(self.losses))
        sequential(self.losses, [measured] * len(self.losses), incoming, self.rows.write, keep=True)
        self.decide(self.rows, [])

    def _differentiate(
        self, measured: Sequence[Tensor], incoming: Tensor, route: Callable[..., None], keep: bool
    ) -> "_Rest":
        """Fill the rows with gradients by the measured tensors; return those by private and outside leaves."""
        num_tasks = len(self.losses)
        self.rows.prepare(measured, num_tasks)
        unshared = self.roles.wanted(num_tasks)
        rest = _Rest(unshared)
        reached = False

        def receive(k: int, gradients: Sequence[Tensor | None]) -> None:
            nonlocal reached
            reached = reached or any(g is not None for g in gradients[: len(measured)])
            self.rows.write(k, gradients[: len(measured)])
            rest.add(k, gradients[len(measured) :])

        route(self.losses, [[*measured, *leaves] for leaves in unshared], incoming, receive, keep)
        if measured and not reached:
            raise RuntimeError(
                "no loss reaches the tensors where the gradients are to be compared: give the representation, or "
                "parameters for gramian_from, that these losses were computed from"
            )
        return rest

    def _jointly(self, weights: Tensor, incoming: Tensor) -> list[Tensor]:
        seeds = [seed(loss, incoming) * w for loss, w in zip(self.losses, weights.tolist(), strict=True)]
        return weighted_pass(self.losses, self.roles.shared, seeds, keep=graph_is_kept())

    def _unshared(self, rest: "_Rest", weights: Tensor) -> list[Tensor | None]:
        scales = weights.tolist() if self.heads == "weighted" else [1.0] * len(weights)
        private: list[Tensor | None] = []
        for leaf, k in self.roles.private:
            gradient = rest.by_leaf.get(leaf)
            private.append(gradient if gradient is None or scales[k] == 1.0 else gradient * scales[k])
        return [*private, *(rest.by_leaf.get(leaf) for leaf, _ in self.roles.outside)]


class _Rest:
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
        return list(self.by_leaf.values())


def graph_is_kept() -> bool:
    """Whether the backward that is running was asked to retain the graph."""
    return bool(torch._C._autograd._get_current_graph_task_keep_graph())
