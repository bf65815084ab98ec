"""What one balancer keeps from step to step, beside its method's state."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from equipoise.balancer.live import LiveWeights
from equipoise.balancer.turn import Turn
from equipoise.chain import Composite, Parts
from equipoise.gradients.graph import Graph
from equipoise.gradients.jacobian import Jacobian
from equipoise.gradients.roles import Parameters, Roles
from equipoise.method import FEEDBACK, Method
from equipoise.monitor import Monitor
from equipoise.step import Step
from equipoise.task_weights import NamedWeights

Heads = Literal["raw", "weighted"]
Scale = Literal["sum", "paper"]


@dataclass
class Setup:
    """A method, the parameters that it balances, and how."""

    method: Method
    parts: Parts
    live: LiveWeights
    heads: Heads
    scale: Scale
    route: str
    probe_every: int
    asked_ranks: Any  # as the user gave them
    given: Parameters
    chosen: Parameters | None  # where gradients are compared; None for all that is shared
    jacobian: Jacobian
    monitor: Monitor | None  # None where nothing is warned of
    heard: set[str]  # which of ``FEEDBACK`` have come
    turn: Turn

    @property
    def user_weights(self) -> NamedWeights:
        """The users' weights in use."""
        return self.live.now

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks' names, in order."""
        return tuple(self.user_weights)

    @property
    def is_joint(self) -> bool:
        """Whether other ranks take part."""
        return self.jacobian.ranks.size > 1

    def hear(self, call: str) -> None:
        """Note that one of ``FEEDBACK`` has come."""
        self.heard.add(call)
        if self.monitor is not None and call == "end_epoch":
            self.monitor.epoch_ended()

    def stated(self, step: Step) -> Step:
        """The step whose total has the weights in it that the user stated in the method; before the method is asked."""
        return step.stated(self.method.stated(step.present))

    def require_fitting(self) -> None:
        """Raise if the options do not fit the method."""
        method, parts = self.method, self.parts
        if strangers := sorted(method.needs - set(FEEDBACK)):
            raise ValueError(f"needs of {method} must be among {', '.join(map(repr, FEEDBACK))}, got {strangers}")
        if parts.coordinate is not None and self.chosen is not None:
            raise ValueError("gramian_from has no use in a coordinate method: it needs all rows")
        if parts.coordinate is not None and self.route == "factored":
            raise ValueError(f"route='factored' has no rows, and {method} needs them: use 'auto', 'rows' or 'batched'")
        if parts.group is not None:
            if self.chosen is not None:
                raise ValueError(f"gramian_from has no use in {method}: it compares gradients by every group")
            if self.heads == "weighted":
                raise ValueError(f"heads='weighted' has no use in {method}: a task has a weight in every group")
            parts.group.groups_of(self.given.named())  # raises if they do not fit

    def require_representation_fits(self) -> None:
        """Raise if gradients cannot be compared at a representation."""
        if self.parts.coordinate is not None:
            raise ValueError("representation has no use in a coordinate method: it needs all rows")
        if self.parts.group is not None:
            raise ValueError(f"representation has no use in {self.method}: it compares gradients by every group")
        if self.chosen is not None:
            raise ValueError("give gramian_from or a representation, not both")

    def roles(self, step: Step, graph: Graph) -> Roles:
        """Who reaches what in this step."""
        if not self.is_joint:
            self.given.learn(graph, step.present, len(self.names))
        return self.given.roles(graph, step.present, len(self.names), self.is_joint, self.parts.has_coordinate_state)

    def scales(self) -> bool:
        """Whether ``scale`` makes a difference to the method."""
        leaves = [
            part for part in self.method.modules() if isinstance(part, Method) and not isinstance(part, Composite)
        ]
        return any(leaf.sum_factor(len(self.names)) not in (1, None) for leaf in leaves)

    def groups(self, roles: Roles) -> list[list[Tensor]]:
        """The groups of parameters that the method weighs apart; none where it does not.

        Raises:
            ValueError: If a parameter is in two groups, or a shared one in none.
        """
        if self.parts.group is None:
            return []
        groups = self.parts.group.groups_of(self.given.named())
        grouped = {parameter for group in groups for parameter in group}
        if len(grouped) < sum(map(len, groups)):
            raise ValueError(f"{self.parts.group} has a parameter in two groups: groups must be disjoint")
        strays = [name for name, leaf in zip(roles.names, roles.shared, strict=True) if leaf not in grouped]
        if strays:
            raise ValueError(f"{', '.join(strays)} are shared by tasks and in no group of {self.parts.group}")
        return groups

    def weights(self, balanced: list[int], tasks: Tensor, gramian: Tensor, losses: Tensor, scales: Tensor) -> Tensor:
        """The weights [K] of the weighting, which are ``scales``, and of the aggregator for the balanced tasks.

        Raises:
            ValueError: If the weighting gave weights that are not finite.
            RuntimeError: If the aggregator did.
        """
        if not scales.isfinite().all():
            raise ValueError(
                f"{self.parts.weighting} gave weights {scales.tolist()} for losses {losses.tolist()}: if it takes "
                "logarithms or ratios, add the task losses' lower bounds to them"
            )
        weights = scales.clone()
        if balanced and self.parts.aggregator is not None:
            scaled = (scales[:, None] * gramian * scales)[balanced][:, balanced]
            weights[balanced] *= self.parts.aggregator(scaled, losses[balanced], tasks)
        self.require_finite(weights)
        return weights

    def weights_by_rows(self, tasks: Tensor, rows: Tensor, losses: Tensor) -> Tensor:
        """The weights [K] of the balanced tasks that the part by rows decides, on the CPU.

        Raises:
            RuntimeError: If they are not finite.
        """
        assert self.parts.row is not None
        weights = self.parts.row.decide(rows, losses, tasks).double().cpu()
        self.require_finite(weights)
        return weights

    def require_finite(self, weights: Tensor) -> None:
        """Raise if the method's answer is not."""
        if not math.isfinite(float(weights.sum())) and not weights.isfinite().all():
            raise RuntimeError(f"{self.method} gave weights {weights.tolist()} for finite gradients: a defect in it")

    def needs_gramian(self, balanced: list[int], tasks: Tensor) -> bool:
        """Whether the method will read the gramian of the next step."""
        parts = self.parts
        if not balanced or not parts.decides_weights:
            return True
        by_gramian = parts.aggregator is not None and parts.aggregator.needs_gramian(tasks)
        return by_gramian or (parts.row is not None and parts.row.needs_rows(tasks))
