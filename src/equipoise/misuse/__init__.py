"""Misuse that shows only while training: each is told once, in words, with what to do.

unused        the balanced loss never goes backward, while the model moves
optimisers    parameters that no optimiser holds, learned weights under weight decay, updates that are scaled again
balance       a task without gradient, weights that collapsed on one task
heads         parameters that only look shared
weighted      losses that carry the user's weight already; weights of tasks that the balancer was not given
graph         a graph that an earlier backward pass has used up, or that allows one pass only
line_search   LBFGS, which calls its closure many times, around a balancer that is not frozen
feedback      calls that the method needs to hear, and that never come

What needs numbers looks at those that a gradient method brings to the CPU anyway: no step waits for the device.
"""

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence

from torch import Tensor

from equipoise.method import Method
from equipoise.misuse.balance import Balance
from equipoise.misuse.feedback import Feedback, line_for
from equipoise.misuse.graph import explained, note_backward, require_unused
from equipoise.misuse.heads import HEADS, joined_heads
from equipoise.misuse.line_search import LineSearch
from equipoise.misuse.optimisers import Optimisers
from equipoise.misuse.unused import Unused
from equipoise.misuse.weighted import ends_in, unheard, weighted_already

__all__ = [
    "HEADS",
    "Misuse",
    "ends_in",
    "explained",
    "joined_heads",
    "line_for",
    "note_backward",
    "require_unused",
    "weighted_already",
]

_HEADS_LOOK = 10  # the first step that looks for heads mistaken for shared parameters: none is still at its zero start


class Misuse:
    """What one balancer has seen of its training so far."""

    def __init__(self, method: Method, names: Sequence[str]) -> None:
        self._method = method
        self._is_first = self._is_first_of_tasks = True
        self._has_looked_for_heads = self._has_looked_for_joins = False
        self._has_told_of_sharing = False
        self._unused = Unused()
        self._optimisers = Optimisers(method)
        self._balance = Balance(repr(method))
        self.feedback = Feedback(method, names)
        self.line_search = LineSearch(method)

    def called(
        self, given: Callable[[], Mapping[str, Tensor]], losses: Mapping[str, Tensor], weights: Mapping[str, float]
    ) -> None:
        """Note that losses became a balanced loss."""
        if self._is_first:
            self._is_first = False
            if doubled := weighted_already(losses, weights):
                warnings.warn(
                    f"losses {', '.join(map(repr, doubled))} are already multiplied by the weights that the balancer "
                    "was given for them, and it applies those itself: pass raw losses, or tasks without weights",
                    stacklevel=6,
                )
        self._unused.called(given)

    def task_weights(self, tasks: Mapping[str, float], held: Mapping[str, float]) -> None:
        """Compare the weights of the tasks that made the losses with those that the balancer holds; say it once."""
        if self._is_first_of_tasks:
            self._is_first_of_tasks = False
            lost, counting = unheard(tasks, held, self._method.stated(range(len(held))))
            if lost:
                warnings.warn(
                    f"Task weights {lost} do not count: the balancer was not given these tasks, and holds {counting}. "
                    "Build it with tasks=tasks, or leave weight out of the tasks",
                    stacklevel=6,
                )

    def went_backward(self) -> None:
        """Note that a balanced loss has gone backward."""
        self._unused.went_backward()
        self.feedback.delivered()

    def decided(self, names: Sequence[str], balanced: Sequence[int], gramian: Tensor, weights: Tensor | None) -> None:
        """Note a method's weights [K], if it gives some, for a gramian [K, K], both on the CPU.

        ``balanced`` are the places of the tasks that the method was asked about.
        """
        self._balance.decided(names, balanced, gramian, weights)

    def nothing_shared(self) -> None:
        """Say that no two tasks meet in a parameter."""
        if not self._has_told_of_sharing:
            self._has_told_of_sharing = True
            warnings.warn("no parameter is shared by two tasks: there is nothing to balance", stacklevel=8)

    def is_due_for_optimisers(self, step: int) -> bool:
        """Whether this step looks at what optimisers hold."""
        return self._optimisers.is_due(step)

    def optimisers(self, given: Mapping[str, Tensor], reached: Collection[Tensor], shared: Collection[Tensor]) -> None:
        """Look at what optimisers hold of the parameters that the losses of this step reach, and some share."""
        self._optimisers.look(given, reached, shared)

    def is_due_for_heads(self, step: int) -> bool:
        """Whether this step, whose gradients are measured, looks for joined heads: one does."""
        due = step >= _HEADS_LOOK and not self._has_looked_for_heads
        self._has_looked_for_heads |= due
        return due

    def is_due_for_joins(self) -> bool:
        """Whether this step, whose gradients are measured, looks below operations that join: the first does."""
        due = not (self._has_looked_for_joins or self._has_looked_for_heads)
        self._has_looked_for_joins = True
        return due

    def joined_heads(self, given: Mapping[str, Tensor], lonely: Collection[Tensor]) -> None:
        """Say which parameters only look shared, once."""
        self._has_looked_for_heads |= bool(lonely)
        joined_heads(given, lonely)
