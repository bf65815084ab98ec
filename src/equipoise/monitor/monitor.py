"""What one balancer has seen of its training so far."""

from collections.abc import Callable, Collection, Mapping, Sequence

from torch import Tensor

from equipoise.method import Method
from equipoise.monitor.balance import Balance
from equipoise.monitor.heads import Heads
from equipoise.monitor.line_search import LineSearch
from equipoise.monitor.looks import Looks
from equipoise.monitor.missing_calls import MissingCalls
from equipoise.monitor.optimisers import Optimisers
from equipoise.monitor.unused import Unused
from equipoise.monitor.warning import warn
from equipoise.monitor.weighted import Weighted


class Monitor:
    """Warns of misuse, each kind once; a balancer with ``monitor="off"`` has none."""

    def __init__(self, method: Method, names: Sequence[str], takes_gradients: bool) -> None:
        self._takes_gradients = takes_gradients  # a backward decides anew, from gradients of single tasks
        self._has_warned_of_sharing = False
        self.balance = Balance(method)
        self.heads = Heads()
        self.line_search = LineSearch(method)
        self.looks = Looks(method)
        self.missing_calls = MissingCalls(method, names)
        self.optimisers = Optimisers(method)
        self._unused = Unused()
        self._weighted = Weighted(method)

    def called(
        self,
        losses: Mapping[str, Tensor],
        weights: Mapping[str, float],
        of_tasks: Mapping[str, float] | None,
        parameters: Callable[[], Mapping[str, Tensor]],
        delivers: bool,
        heard: Collection[str],
    ) -> None:
        """Note a call with gradients on.

        Args:
            losses: As the balancer was given them.
            weights: The users', as the balancer holds them.
            of_tasks: The weights of the tasks that made the losses, where these are known and count.
            parameters: The balancer's by name.
            delivers: Whether the backward of this call does; one of several micro-batches may not.
            heard: Which of ``FEEDBACK`` have come so far.
        """
        if self.missing_calls.needs:
            self.missing_calls.called(heard)
        if of_tasks is not None and not self._weighted.has_seen_tasks:
            self._weighted.of_tasks(of_tasks, weights)
        if self._takes_gradients and not self.line_search.has_warned:
            self.line_search.decides_anew()
        if losses and not self._weighted.has_seen_losses:
            self._weighted.of_losses(losses, weights)
        if losses and delivers and not self._unused.is_over:
            self._unused.called(parameters)

    def went_backward(self) -> None:
        """Note that a balanced loss has gone backward."""
        if not self._unused.is_over:
            self._unused.went_backward()
        self.missing_calls.steps += 1

    def nothing_shared(self) -> None:
        """Say that no two tasks meet in a parameter."""
        if not self._has_warned_of_sharing:
            self._has_warned_of_sharing = True
            warn("no parameter is shared by two tasks: there is nothing to balance")
