"""The objective at held weights: one function whose value and gradient agree, as a line search needs."""

import math

import torch
from torch import Tensor

from equipoise.balancer.balanced import measured_gramian
from equipoise.balancer.decide import checked_weights
from equipoise.balancer.reach import method_needs_gramian, reach_of
from equipoise.balancer.state import State
from equipoise.chain import linearise
from equipoise.gradients.jacobian import to_host
from equipoise.gradients.surrogate import with_gradient_of
from equipoise.step import Step, on_one_device


class FrozenObjective:
    """Weights by task name; at first those of the last step, if it was not skipped."""

    def __init__(self, state: State) -> None:
        self._state = state
        record = state.record
        known = {} if record is None or record.skipped else record.weights
        user = state.weights.now
        self._weights = {  # of losses with the users' weights in them; where these have changed, the method decides
            name: weight / user[name]
            for name, weight in known.items()
            if math.isfinite(weight) and state.applied[name] == user[name]
        }

    def covers(self, step: Step) -> bool:
        """Whether every task has a weight to hold; decides, if gradients can be taken and all are finite."""
        if torch.is_grad_enabled() and any(name not in self._weights for name in step.names):
            step.require_graph()
            weights = self._decided_ahead(step)
            if weights.isfinite().all():
                self._weights.update(zip(step.names, weights.tolist(), strict=True))
        return all(name in self._weights for name in step.names)

    def objective(self, step: Step) -> Tensor:
        """sum_k w_k loss_k [], itself."""
        factors = [self._weights[name] for name in step.names]
        if self._state.monitor is not None:
            self._state.monitor.line_search.holds(dict(zip(step.names, factors, strict=True)))
        weights = torch.tensor(factors, dtype=torch.float64, device="cpu")
        taking = [k for k, factor in enumerate(factors) if factor != 0]  # 0 · inf would be NaN
        if not taking:
            return torch.zeros_like(step.total).requires_grad_(torch.is_grad_enabled()).clone()
        taken = on_one_device([step.losses[k] for k in taking])
        objective = (weights[taking].to(taken) * taken).sum()
        if not objective.requires_grad:
            return objective
        values = step.stacked.detach()[taking]  # over several ranks those of the joint batch, the same on all
        value = (weights[taking].to(values) * values).sum()
        return with_gradient_of(value, objective, lambda _: self._state.note(step, weights, None, "frozen"))

    def _decided_ahead(self, step: Step) -> Tensor:
        """The weights [K] of this step before its backward; NaN where the method cannot be asked."""
        state, config = self._state, self._state.config
        _, scales = linearise(config.parts.weighting, step.stacked, step.tasks)
        if config.parts.aggregator is None and config.parts.row is None:
            return scales
        reach = reach_of(state, step)
        losses, scales = to_host((), [step.stacked, scales], state.ranks)
        gramian, numbers = losses.new_full((len(losses),) * 2, torch.nan), losses
        rows = gramian[:, :0]
        if method_needs_gramian(config, reach):
            gramian, rows = measured_gramian(state, reach, torch.ones_like(step.stacked[0]))
            numbers = losses + gramian.sum()
        if not numbers.isfinite().all():
            return torch.full_like(scales, torch.nan)

        def weighted_rows(weights: Tensor) -> Tensor:
            return rows[reach.balanced] * weights[reach.balanced, None].to(rows)

        return checked_weights(config, reach, losses, scales, gramian, weighted_rows)
