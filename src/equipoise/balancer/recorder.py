"""The record of the last step, and how many there were."""

from torch import Tensor

from equipoise.method import Aggregator, Method
from equipoise.record import Record
from equipoise.step import Step


class Recorder:
    """Writes records, and reads for them what the aggregators say of their solutions."""

    def __init__(self, method: Method, probe_every: int) -> None:
        self._aggregators = [part for part in method.modules() if isinstance(part, Aggregator)]
        self._probe_every = probe_every
        self.steps = 0
        self.record: Record | None = None
        self.applied: dict[str, float] = {}  # the users' weights in that record's

    def is_probe_due(self) -> bool:
        """Whether the gramian of this step is measured though the method does not need it."""
        return self._probe_every > 0 and self.steps % self._probe_every == 0

    def note(
        self,
        step: Step,
        weights: Tensor | None,
        gramian: Tensor | None,
        route: str,
        skipped: bool = False,
        objective: Tensor | None = None,
    ) -> None:
        """One backward has been done: the weights [K] decided, the gramian [K, K] measured, if there were any.

        The weights are the method's, of losses with the users' weights in them; ``objective`` is a loss weighting's.
        """
        self.steps += 1
        self.applied = dict(zip(step.names, step.weights, strict=True))
        if weights is not None and set(step.weights) != {1.0}:
            weights = weights * weights.new_tensor(step.weights)
        residuals = [aggregator.residual for aggregator in self._aggregators if aggregator.residual is not None]
        for aggregator in self._aggregators:
            aggregator.residual = None  # a step that reuses weights solves nothing
        self.record = Record(
            self.steps,
            step.names,
            step.shown,
            step.total,
            weights,
            gramian,
            route,
            skipped,
            sum(int(aggregator.unsolved) for aggregator in self._aggregators),
            max(residuals, default=None),
            step.parts,
            None if skipped else objective,
        )
