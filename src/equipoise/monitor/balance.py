"""A task whose gradient is always zero, weights that stay with one task, steps of one task: from numbers on the CPU."""

from collections import deque
from collections.abc import Sequence

from torch import Tensor

from equipoise.method import Aggregator, Method
from equipoise.monitor.warning import warn

_SILENCE = 50  # steps without any gradient, from the first on
_COLLAPSE = 100  # steps in a row in which one task alone decides
_IN_TURN = 100  # steps in a row that have one task each
_NEGLIGIBLE = 1e-6  # of the largest


class Balance:
    """Counts steps; each finding is warned of once."""

    def __init__(self, method: Method) -> None:
        self._method = repr(method)
        self._wrap = f"wrap it (InTurn({method})), or " if isinstance(method, Aggregator) else ""
        self._silent: dict[str, int] = {}  # steps without a gradient, of tasks that never had one
        self._seen: set[str] = set()  # tasks that need no watching: they had a gradient, or were warned of
        self._alone, self._times = "", 0  # which task decides alone, for how many steps
        self.has_collapsed = False  # and has been warned of
        watches = not any(isinstance(part, Method) and part.counts_absent for part in method.modules())
        self._in_turn = deque[str](maxlen=_IN_TURN) if watches else None  # tasks of the last steps that had one each

    def decided(self, names: Sequence[str], balanced: Sequence[int], gramian: Tensor, weights: Tensor | None) -> None:
        """Look at one decision: weights [K], or none, for a gramian [K, K], and which of the tasks it is about."""
        squares: list[float] = gramian.diagonal().tolist()
        for k in balanced:
            if names[k] not in self._seen:
                self._count_silence(names[k], squares[k])
        if self._in_turn is not None and weights is not None:
            self._count_single_task(self._in_turn, names, weights.tolist())
        nonzero = [k for k in balanced if squares[k] > 0]
        if weights is not None and not self.has_collapsed and len(nonzero) > 1:
            self._count_collapse(names, nonzero, squares, weights.tolist())

    def _count_silence(self, name: str, square: float) -> None:
        if square > 0:
            self._seen.add(name)
            return
        self._silent[name] = self._silent.get(name, 0) + 1
        if self._silent[name] == _SILENCE:
            self._seen.add(name)
            warn(
                f"the gradient of task {name!r} by the shared parameters was zero in all of its {_SILENCE} steps: its "
                "loss does not depend on them (a mask of zeros, a saturated or clamped output, a unit that died): "
                "look at its labels and its output, or leave the task out",
            )

    def _count_single_task(self, in_turn: deque[str], names: Sequence[str], weights: Sequence[float]) -> None:
        """Count steps of one task, to which the method did nothing."""
        if len(names) > 1 or weights != [1.0]:
            in_turn.clear()
            return
        in_turn.append(names[0])
        if len(in_turn) == _IN_TURN and len({*in_turn}) > 1:
            self._in_turn = None
            warn(
                f"each of {_IN_TURN} steps in a row had one task, and {self._method} left its gradient as it was: a "
                f"gradient method balances the tasks of one step. If no batch holds two of them, {self._wrap}"
                "collect a micro-batch of each, balancer.accumulate(n)",
            )

    def _count_collapse(
        self, names: Sequence[str], nonzero: Sequence[int], squares: Sequence[float], weights: Sequence[float]
    ) -> None:
        """Count steps in which all but one task have neither weight nor a part in the gradient."""
        sizes = {k: abs(weights[k]) for k in nonzero}
        parts = {k: sizes[k] * squares[k] ** 0.5 for k in nonzero}
        largest = max(nonzero, key=parts.__getitem__)
        for k in nonzero:
            counts = sizes[k] > _NEGLIGIBLE * sizes[largest] or parts[k] > _NEGLIGIBLE * parts[largest]
            if k != largest and counts:
                self._alone, self._times = "", 0
                return
        self._times = self._times + 1 if names[largest] == self._alone else 1
        self._alone = names[largest]
        if self._times == _COLLAPSE:
            self.has_collapsed = True
            warn(
                f"{self._method} gave all weight to task {self._alone!r} for {_COLLAPSE} steps in a row: the others do "
                "not train what is shared. Bring gradients to one scale first (Chain(UnitNorm(), ...)), keep a floor "
                "under the weights (Bounded), or look at eq.doctor",
            )
