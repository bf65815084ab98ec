"""What one balancer has seen of its training so far."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from torch import Tensor

from equipoise.method import Method
from equipoise.monitor.balance import Balance
from equipoise.monitor.heads import Heads
from equipoise.monitor.line_search import LineSearch
from equipoise.monitor.missing_calls import MissingCalls
from equipoise.monitor.optimisers import Optimisers
from equipoise.monitor.unused import Unused
from equipoise.monitor.warning import warn
from equipoise.monitor.weighted import unheard, weighted_already


class Monitor:
    """Warns of misuse, each kind once; a balancer with ``monitor="off"`` has none."""

    def __init__(self, method: Method, names: Sequence[str], takes_gradients: bool) -> None:
        self._method = method
        self._takes_gradients = takes_gradients  # a backward decides anew, from gradients of single tasks
        self._is_first = self._is_first_of_tasks = True
        self._has_warned_of_sharing = False
        self.heads = Heads()
        self._unused = Unused()
        self._optimisers = Optimisers(method)
        self._balance = Balance(repr(method))
        self._line_search = LineSearch(method)
        self._missing_calls = MissingCalls(method, names)

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
        if self._missing_calls.needs:
            self._missing_calls.called(heard)
        if of_tasks is not None and self._is_first_of_tasks:
            self._is_first_of_tasks = False
            self._compare_weights(of_tasks, weights)
        if self._takes_gradients and not self._line_search.has_warned:
            self._line_search.decides_anew()
        if self._is_first and losses:
            self._is_first = False
            if doubled := weighted_already(losses, weights):
                warn(
                    f"losses {', '.join(map(repr, doubled))} are already multiplied by the weights that the balancer "
                    "was given for them, and it applies those itself: pass raw losses, or tasks without weights"
                )
        if losses and delivers and not self._unused.is_over:
            self._unused.called(parameters)

    def _compare_weights(self, tasks: Mapping[str, float], held: Mapping[str, float]) -> None:
        lost, counting = unheard(tasks, held, self._method.stated(range(len(held))))
        if lost:
            warn(
                f"Task weights {lost} do not count: the balancer was not given these tasks, and holds {counting}. "
                "Build it with tasks=tasks, or leave weight out of the tasks"
            )

    def returns(self, value: Tensor, objective: Tensor) -> None:
        """Note a balanced loss of this value [] whose gradient is the objective's []."""
        self._line_search.compares(value, objective)

    def went_backward(self) -> None:
        """Note that a balanced loss has gone backward."""
        if not self._unused.is_over:
            self._unused.went_backward()
        self._missing_calls.steps += 1

    def decided(self, names: Sequence[str], balanced: Sequence[int], gramian: Tensor, weights: Tensor | None) -> None:
        """Note a method's weights [K], if it gives some, for a gramian [K, K], both on the CPU.

        ``balanced`` are the places of the tasks that the method was asked about.
        """
        self._balance.decided(names, balanced, gramian, weights)

    def expect(self, calls: Iterable[str]) -> None:
        """Take it that these calls will come, however late."""
        self._missing_calls.expected.update(calls)

    def epoch_ended(self) -> None:
        """Note the end of an epoch."""
        self._missing_calls.epoch_ended()

    def nothing_shared(self) -> None:
        """Say that no two tasks meet in a parameter."""
        if not self._has_warned_of_sharing:
            self._has_warned_of_sharing = True
            warn("no parameter is shared by two tasks: there is nothing to balance")

    def is_due_for_optimisers(self, step: int) -> bool:
        """Whether this step looks at what optimisers hold."""
        return self._optimisers.is_due(step)

    def optimisers(self, given: Mapping[str, Tensor], reached: Collection[Tensor], shared: Collection[Tensor]) -> None:
        """Look at what optimisers hold of the parameters that the losses of this step reach, and some share."""
        self._optimisers.look(given, reached, shared)
