"""What the method decides in one step, once its gradients are compared, or before if it needs no gramian."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from equipoise.balancer.comparison import Comparison
from equipoise.balancer.recorder import Recorder
from equipoise.gradients.delivery import Decision
from equipoise.gradients.jacobian import Jacobian, to_host
from equipoise.gradients.known import are_finite, at_known
from equipoise.monitor import Monitor


@dataclass
class Decider:
    """One step: the weighting's weights ``scales`` [K], and the ``incoming`` gradient []."""

    comparison: Comparison
    recorder: Recorder
    scales: Tensor
    incoming: Tensor
    route: str  # for the record
    objective: Tensor | None = None  # [], of a loss weighting alone

    def decide(self, jacobian: Jacobian, others: list[Tensor]) -> Decision:
        """Ask the method for weights, unless a number is not finite: then all gradients go through as they are.

        ``others`` are the gradients by all that is not compared.
        """
        comparison, setup, step = self.comparison, self.comparison.setup, self.comparison.step
        balanced, num_tasks = comparison.balanced, len(step.losses)
        apart = comparison.set_apart(jacobian)
        others = [*others, *(gradient for _, gradient in apart.values())]
        largest = torch.nn.utils.get_total_norm(others, float("inf")) if others else torch.zeros(())
        gramian, largest, losses, factor, scales = jacobian.gramian(
            num_tasks, step.stacked, self.incoming, self.scales, own=[largest]
        )
        gramian = gramian / factor**2
        numbers = float(gramian.sum() + losses.sum() + largest)  # finite if all of them are
        skipped = float(factor) == 0 or not math.isfinite(numbers)
        weights, mixture = torch.ones_like(scales), None
        if not skipped:
            weights = setup.weights(balanced, comparison.tasks, gramian, losses, scales)
            if balanced and setup.parts.row is not None:
                rows = self._balanced_rows(jacobian, weights, float(factor))
                weights[balanced] *= setup.weights_by_rows(comparison.tasks, rows, step.stacked.detach()[balanced])
            elif balanced and setup.parts.coordinate is not None:
                mixture = self._by_coordinate(jacobian, weights, float(factor))
            if balanced and setup.parts.group is not None:
                mixture = self._by_group(jacobian, weights, losses, float(factor))
        shown = None if mixture is not None else weights
        if apart:
            mixture = jacobian.combine(weights) if mixture is None else mixture
            for place, (k, gradient) in apart.items():
                mixture[place] = gradient * float(weights[k]) if setup.heads == "weighted" else gradient
        self.recorder.note(step, shown, gramian, self.route, skipped, self.objective)
        if setup.monitor is not None and balanced and not skipped:
            decides = setup.parts.aggregator is not None or setup.parts.row is not None
            setup.monitor.decided(step.names, balanced, gramian, weights if decides else None)
            self._look_for_heads(setup.monitor, jacobian, gramian)
        return weights, mixture

    def at_known(self) -> list[Tensor | None]:
        """The gradient of every leaf where no gramian is needed; if it is not finite the method forgets the step."""
        comparison, setup, step = self.comparison, self.comparison.setup, self.comparison.step
        losses, factor, scales = to_host((), [step.stacked, self.incoming, self.scales], setup.jacobian.ranks)
        skipped = float(factor) == 0 or not math.isfinite(float(factor + losses.sum()))
        deciding = (setup.parts.aggregator, setup.parts.row)
        state = [buffer for part in deciding if part is not None for buffer in part.buffers()]
        weights, before = torch.ones_like(scales), [buffer.clone() for buffer in state]
        if not skipped:
            unread = losses.new_full((len(losses),) * 2, torch.nan)
            balanced = comparison.balanced
            weights = setup.weights(balanced, comparison.tasks, unread, losses, scales)
            if setup.parts.row is not None:
                weights[balanced] *= setup.weights_by_rows(comparison.tasks, unread[balanced, :0], losses[balanced])
        gradients = at_known(step.losses, comparison.graph, comparison.roles, setup.heads, weights, self.incoming)
        if not skipped and not are_finite(gradients, setup.jacobian.ranks):
            skipped = True
            for buffer, value in zip(state, before, strict=True):
                buffer.copy_(value)
        self.recorder.note(step, weights, None, "reused", skipped)
        return gradients

    def _balanced_rows(self, jacobian: Jacobian, weights: Tensor, factor: float) -> Tensor:
        """The rows [K, P] of the balanced tasks, weighted and unscaled."""
        balanced = self.comparison.balanced
        rows = jacobian.rows(len(self.comparison.step.losses))
        rows = rows if len(balanced) == len(rows) else rows[balanced]
        factors = (weights[balanced] / factor).to(rows)
        return rows if (factors == 1).all() else rows * factors[:, None]

    def _by_coordinate(self, jacobian: Jacobian, weights: Tensor, factor: float) -> list[Tensor]:
        """The mixture of a method that mixes the rows itself."""
        setup, step, balanced = self.comparison.setup, self.comparison.step, self.comparison.balanced
        assert setup.parts.coordinate is not None
        rows = self._balanced_rows(jacobian, weights, factor)
        gradient = setup.parts.coordinate(rows, step.stacked.detach()[balanced].to(rows), self.comparison.tasks)
        return jacobian.spread(gradient if factor == 1 else gradient * self.incoming.to(gradient))

    def _by_group(self, jacobian: Jacobian, weights: Tensor, losses: Tensor, factor: float) -> list[Tensor]:
        """The mixture of a method that sees a gramian [K, K] for each group of parameters."""
        comparison, setup, balanced = self.comparison, self.comparison.setup, self.comparison.balanced
        assert setup.parts.group is not None
        groups = comparison.groups
        gramians = weights[:, None] * (jacobian.gramians(len(losses), groups) / factor**2) * weights
        by_group = weights.repeat(len(groups), 1)
        shown = gramians[:, balanced][:, :, balanced]
        by_group[:, balanced] *= setup.parts.group(shown, losses[balanced], comparison.tasks)
        setup.require_finite(by_group)
        return jacobian.combine_in_groups(by_group, groups)

    def _look_for_heads(self, monitor: Monitor, jacobian: Jacobian, gramian: Tensor) -> None:
        """Once, look for heads that only seem shared."""
        setup, comparison = self.comparison.setup, self.comparison
        moving = int(gramian.diagonal().count_nonzero())  # where one task alone moves, it does so in trunks as in heads
        if comparison.points is not None or setup.is_joint or moving < 2:
            return
        num_tasks = len(comparison.step.losses)
        if monitor.is_due_for_joins() and (joined := comparison.graph.under_joins):
            owners = {leaf: task for leaf, task in jacobian.lonely(num_tasks).items() if leaf in joined}
            if len(set(owners.values())) > 1:  # one task alone moves a trunk below heads that start at zero
                monitor.joined_heads(setup.given.named(), owners)
        if monitor.is_due_for_heads(self.recorder.steps):
            monitor.joined_heads(setup.given.named(), jacobian.lonely(num_tasks))
