"""What one balancer keeps from step to step, beside its method's own state."""

from typing import Any

from torch import Tensor

from equipoise.balancer.config import Config
from equipoise.balancer.weights import LiveWeights
from equipoise.gradients.accumulation import Accumulation
from equipoise.gradients.chunks import FoldedJacobian
from equipoise.gradients.jacobian import Jacobian
from equipoise.gradients.plan import KnownRows
from equipoise.gradients.ranks import Ranks, ranks_of
from equipoise.gradients.roles import Parameters
from equipoise.gradients.surrogate import ReentrancyGuard
from equipoise.method import FEEDBACK, Aggregator, RowAggregator
from equipoise.monitor import Monitor, warn
from equipoise.record import Record
from equipoise.step import Step


class State:
    """Passed along a step; what is done to it stands in the files of the step."""

    def __init__(self, config: Config, parameters: Parameters, weights: LiveWeights) -> None:
        self.config = config
        self.parameters = parameters  # to balance, and which tasks have reached them so far
        self.weights = weights  # the users'
        self.steps = 0  # backwards so far
        self.record: Record | None = None
        self.applied: dict[str, float] = {}  # the users' weights in that record's
        self.heard: set[str] = set()  # which of ``FEEDBACK`` have come
        self.ranks = Ranks()  # who takes part in this step
        # of one step; its room is kept
        self.jacobian = FoldedJacobian() if config.route == "low-memory" else Jacobian()
        self.known_rows = KnownRows()
        self.accumulation = Accumulation(len(config.names))  # gradients of micro-batches
        self.micro_batches = 1  # that make a step
        self.has_seen_losses = False  # of the model: a loss weighting looks at the first only
        self.guard = ReentrancyGuard()
        self.monitor = (
            Monitor(config.method, config.names, config.parts.takes_gradients) if config.monitor == "warn" else None
        )
        if config.parts.group is not None:
            config.parts.group.groups_of(parameters.named())  # raises if they do not fit
        self._aggregators = [part for part in config.method.modules() if isinstance(part, Aggregator)]
        self._row_aggregators = [part for part in config.method.modules() if isinstance(part, RowAggregator)]

    def find_ranks(self) -> None:
        """Find who takes part in the step that begins."""
        self.ranks = ranks_of(self.config.ranks, self.parameters.source, self.steps + 1)

    @property
    def is_probe_due(self) -> bool:
        """Whether the gramian of this step is measured though the method does not need it."""
        every = self.config.probe_every
        return every > 0 and self.steps % every == 0

    def note_call(self, call: str) -> None:
        """Note that one of ``FEEDBACK`` has come."""
        self.heard.add(call)
        if self.monitor is not None and call == "end_epoch":
            self.monitor.missing_calls.epoch_ended()

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
            step.raw_values,
            step.total,
            weights,
            gramian,
            route,
            skipped,
            sum(int(aggregator.unsolved) for aggregator in self._aggregators),
            max(residuals, default=None),
            step.parts,
            None if skipped else objective,
            next((ages for part in self._row_aggregators if (ages := part.ages) is not None), None),
            self.config.names,
        )

    def last_record(self) -> Record:
        """The record of the last backward.

        Raises:
            RuntimeError: If there is none.
        """
        if self.record is not None:
            return self.record
        waiting = self.accumulation.waiting
        why = "nothing has gone backward yet" + (" since the state was loaded" if self.steps else "")
        if waiting:
            why = f"{waiting} of {self.micro_batches} micro-batches wait for the last of their step"
        raise RuntimeError(f"balancer.record is of the last step, and {why}: read it after balancer(losses).backward()")

    def saved(self) -> dict[str, Any]:
        """What is saved beside the method's state: steps, weights, calls heard, and which tasks reached what."""
        return {
            "names": list(self.config.names),
            "scale": self.config.scale,
            "steps": self.steps,
            "weights": self.weights.saved(),
            "heard": sorted(self.heard),
            # pairs: torch.distributed.checkpoint loads into keys that are there, and those of a dict would be lost
            "reached": sorted(self.parameters.reached.items()),
            "blurred": sorted(self.parameters.ambiguous.items()),
        }

    def load(self, saved: dict[str, Any]) -> None:
        """Take up what ``saved`` gave, of this version or an older one.

        Raises:
            ValueError: If it is of other tasks, or of steps of another length.
        """
        if tuple(saved["names"]) != self.config.names:
            raise ValueError(
                f"the saved state is of tasks {saved['names']}, this balancer has {list(self.config.names)}"
            )
        self._require_scale(saved.get("scale"))
        self.weights.load(saved.get("weights"))
        self.steps = saved["steps"]
        self.parameters.reached = dict(saved["reached"])
        self.parameters.ambiguous = dict(saved.get("blurred", {}))
        self.heard = set(saved.get("heard", FEEDBACK))  # older states do not say: assume all

    def _require_scale(self, saved: str | None) -> None:
        """Raise, or warn where a state does not say, if a saved state is of steps of another length."""
        scale = self.config.scale
        if saved == scale or not self.config.has_scale:
            return
        if saved is not None:
            raise ValueError(
                f"the saved state is of steps at scale={saved!r}, and this balancer has scale={scale!r}: make it "
                f"with scale={saved!r}"
            )
        if scale == "sum":
            warn(
                f"the saved state is of a version whose steps had the paper's scale, and with scale='sum' those of "
                f"{self.config.method} are longer: make the balancer with scale='paper' to resume as it was"
            )
