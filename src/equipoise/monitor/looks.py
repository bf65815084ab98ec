"""The findings of ``equipoise doctor`` in gradients, while training: losses that dominate, conflict or are one."""

import math
from collections.abc import Callable, Sequence

from torch import Tensor

from equipoise.method import Method
from equipoise.monitor.warning import warn
from equipoise.names import listed
from equipoise.watching.findings import of_conflict, of_size, of_twins
from equipoise.watching.measures import Line, shares_of
from equipoise.watching.seen import LayerSeen, PartSeen, PassSeen

_AFTER = (10, 90)  # steps from one look of a window to the next, at least
_APART = 1000  # from the last one to the next window

Rule = Callable[[Line], list[str]]
_RULES: dict[Rule, str] = {  # and what to do where a method balances, instead of what stands behind the semicolon
    of_size: "bring gradients to one scale first (Chain(UnitNorm(), ...)), or try the weights that eq.doctor suggests",
    of_conflict: "eq.doctor shows in which modules",
    of_twins: "eq.doctor shows who reaches what",
}


class Looks:
    """Keeps the gradients of three steps of a window; what holds at each of them is warned of, once."""

    def __init__(self, method: Method) -> None:
        self._method = str(method)
        self._looks: list[PassSeen] = []
        self._said: set[tuple[str, frozenset[str]]] = set()
        self.next = 1  # the step from which on a look is due

    def look(
        self,
        step: int,
        names: Sequence[str],
        losses: Sequence[float],
        user_weights: Sequence[float],
        gramian: Tensor,
        weights: Tensor,
        shared_numbers: int,
    ) -> None:
        """Look at K tasks of one step.

        Args:
            step: Its number.
            names: [K].
            losses: [K].
            user_weights: [K].
            gramian: [K, K] of the gradients by the shared parameters, on the CPU.
            weights: [K], the method's.
            shared_numbers: How many numbers of parameters these are.
        """
        delivered: list[list[float]] = (weights[:, None] * gramian * weights).tolist()
        parts = [
            PartSeen(name, name, loss, weight, shared_numbers, 0.0)
            for name, loss, weight in zip(names, losses, user_weights, strict=True)
        ]
        norms = [math.sqrt(max(0.0, delivered[k][k])) for k in range(len(parts))]
        layer = LayerSeen("shared", shared_numbers, list(range(len(parts))), norms, delivered, [], 0)
        self._looks.append(PassSeen("", step, sum(losses), parts, delivered, [layer], 0.0))
        if len(self._looks) <= len(_AFTER):
            self.next = step + _AFTER[len(self._looks) - 1]
            return
        self.next = step + _APART
        self._judge(Line(self._looks))
        self._looks = []

    def _judge(self, line: Line) -> None:
        steps = listed([look.step for look in line.looks])
        for rule, advice in _RULES.items():
            for finding in rule(line):
                about = frozenset(name for name in line.names if repr(name) in finding)
                is_left = rule is not of_conflict or about & self._opposed(line)
                if is_left and (advice, about) not in self._said:
                    self._said.add((advice, about))
                    what = finding.partition(";")[0]
                    warn(f"in the gradients that {self._method} gave at steps {steps}, {what}; {advice}")

    @staticmethod
    def _opposed(line: Line) -> set[str]:
        """The tasks that the whole gradient opposes at every step."""
        shares = [dict(zip((part.name for part in look.parts), shares_of(look), strict=True)) for look in line.looks]
        return {name for name in line.names if all(share[name] < 0 for share in shares)}
