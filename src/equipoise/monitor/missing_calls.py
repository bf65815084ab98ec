"""Calls that a method needs to hear, and that never come: it then works as if it had nothing to learn from them."""

from collections.abc import Collection, Sequence

from equipoise.chain import Composite
from equipoise.method import Method
from equipoise.monitor.warning import warn

_STEPS = 100  # delivered without a call, after which it is taken to be forgotten
_EPOCHS = 2  # ended without one, if they had so many steps together:
_FEWEST = 10
_NAMED = 4  # tasks that a line shows


class MissingCalls:
    """Counts steps and epochs; each missing call is warned of once.

    ``needs`` holds the calls that the method needs, ``expected`` those that the loop has announced;
    ``steps`` counts what went backward.
    """

    def __init__(self, method: Method, names: Sequence[str]) -> None:
        self.needs = frozenset(method.needs)
        self._method, self._names = method, tuple(names)
        self.steps = 0
        self._epochs = 0
        self.expected: set[str] = set()
        self._warned: set[str] = set()

    def epoch_ended(self) -> None:
        """Note the end of an epoch."""
        self._epochs += 1

    def called(self, heard: Collection[str]) -> None:
        """Warn of what is missing as the next step begins: what belongs to the one before has come by now."""
        ended = self._epochs if self.steps >= _FEWEST else 0
        if self.steps < _STEPS and ended < _EPOCHS:
            return
        for call in sorted(self.needs - set(heard) - self.expected - self._warned):
            self._warn(call, f"{ended} epochs" if ended >= _EPOCHS else f"{self.steps} steps")

    def _warn(self, call: str, since: str) -> None:
        self._warned.add(call)
        late = "" if call == "after_step" else f". If it comes later than that, say so: balancer.expect({call!r})"
        warn(
            f"{_listeners(self._method, call)} has not heard balancer.{call}() in {since}, and without it does not do "
            f"what it is for. Write\n    {line_for(call, self._names)}\nin the training loop, or where your trainer "
            f"has a place for it (docs/trainers.md){late}",
        )


def line_for(call: str, names: Collection[str]) -> str:
    """The line of a training loop that makes a call, for these tasks."""
    if call == "end_epoch":
        return "balancer.end_epoch()  # after each epoch"
    if call == "observe":
        return (
            f"balancer.observe({_by_name(names, 'r')})  # higher is better, after each validation; tasks whose result "
            "is an error or a loss go into lower_is_better=[...]"
        )
    return (
        f"balancer.after_step({_by_name(names, 'l')})  # raw losses of the same batch, after each optimizer.step(), "
        "computed anew under torch.no_grad()"
    )


def _by_name(names: Collection[str], letter: str) -> str:
    values = [f'"{name}": {letter}{place}' for place, name in enumerate(names, start=1)]
    return "{" + ", ".join(values[:_NAMED] + ["..."] * (len(values) > _NAMED)) + "}"


def _listeners(method: Method, call: str) -> str:
    """The parts that need a call, or the method where it listens itself."""
    parts = [part for part in method.modules() if isinstance(part, Method) and not isinstance(part, Composite)]
    return ", ".join(str(part) for part in parts if call in part.needs) or str(method)
