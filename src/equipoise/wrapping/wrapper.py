"""What a wrapper is: a method around a method, of the wrapped one's type."""

import inspect
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from typing_extensions import Self

from equipoise.arguments import short_repr
from equipoise.chain import Composite, linearise
from equipoise.method import Aggregator, Method, RowAggregator, UserWeight, Weighting, overridden

GivesWeights = Weighting | Aggregator | RowAggregator


class Wrapper(Composite):
    """weights = weigh(the wrapped method's weights): again a method, for a ``Chain`` or another wrapper.

    A subclass takes the wrapped one as its argument ``method`` and defines ``weigh``, and ``will_ask`` if it does not
    ask in every step. A wrapper of a ``Weighting`` is a ``Weighting``, of an ``Aggregator`` an ``Aggregator``, of a
    ``RowAggregator`` a ``RowAggregator``; a method that returns a gradient has no weights to work on and is refused.
    Epochs and results reach the wrapped method always, the losses after a step only where that step has asked it. What
    a user's weight becomes, it decides.
    """

    method: GivesWeights
    asked: Tensor
    precision: torch.dtype  # of weights that are kept

    def __new__(cls, *args: Any, **kwargs: Any) -> "Wrapper":
        """Choose the type of the wrapper: that of the wrapped method."""
        if not issubclass(cls, WeightingWrapper | AggregatorWrapper | RowWrapper):
            method = inspect.signature(cls.__init__).bind(None, *args, **kwargs).arguments.get("method")
            if not isinstance(method, GivesWeights):
                raise ValueError(
                    f"{cls.__name__} wraps what gives weights, a Weighting, an Aggregator or a RowAggregator; got "
                    f"{short_repr(method)}"
                )
            cls = _of_kind(cls, _kind_for(method))
        return super().__new__(cls)

    def __init__(self, method: GivesWeights) -> None:
        super().__init__()
        self.method = method
        self.user_weight: UserWeight = method.user_weight
        self.register_buffer("asked", torch.zeros((), dtype=torch.bool, device="cpu"))

    @abstractmethod
    def weigh(self, ask: Callable[[], Tensor], tasks: Tensor) -> Tensor:
        """The weights [K] of this step; ``ask()`` has the wrapped method decide on its own."""

    def will_ask(self, tasks: Tensor) -> bool:
        """Whether ``weigh`` asks in the next step, if it is one of these tasks [K]."""
        return True

    @property
    def parts(self) -> tuple[Method, ...]:
        return (self.method,)

    def stated(self, tasks: Sequence[int]) -> list[float] | None:
        return self.method.stated(tasks)

    @property
    def needs(self) -> frozenset[str]:
        """What the wrapped method needs, and what a subclass listens to itself."""
        return overridden(type(self), Wrapper) | self.method.needs

    def after_step(self, losses: Tensor, tasks: Tensor) -> None:
        if self.asked:
            super().after_step(losses, tasks)

    def _decide(self, decide: Callable[[], Tensor], tasks: Tensor) -> Tensor:
        self.asked.fill_(False)

        def ask() -> Tensor:
            self.asked.fill_(True)
            return decide()

        return self.weigh(ask, tasks)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:  # a class made here has no name to be found by
        _, _, *state = cast(tuple[Any, ...], super().__reduce_ex__(protocol))
        return _blank, type(self).__bases__, *state


class _BesideTheLosses(Wrapper):
    """A wrapper whose weights move with the losses; counters stay on the CPU, where reading one waits for no kernel."""

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Self:
        self.method._apply(fn)
        return super()._apply(lambda tensor: fn(tensor) if tensor.is_floating_point() else tensor, recurse=False)


class WeightingWrapper(_BesideTheLosses, Weighting):
    """A wrapper of a loss weighting, whose own parameters follow its own objective."""

    precision = torch.float32  # not every device has more

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        own = losses.new_zeros(())

        def decide() -> Tensor:
            nonlocal own
            objective, weights = linearise(cast(Weighting, self.method), losses, tasks)
            own = objective - objective.detach()
            return weights

        weights = self._decide(decide, tasks)
        return own + (weights.to(losses) * losses).sum()


class AggregatorWrapper(Wrapper, Aggregator):
    """A wrapper of an aggregator, on the CPU with all it holds."""

    precision = torch.float64

    def bind(self, num_tasks: int) -> None:
        super().bind(num_tasks)
        self.require_nothing_learned()

    def needs_gramian(self, tasks: Tensor) -> bool:
        return self.will_ask(tasks) and cast(Aggregator, self.method).needs_gramian(tasks)

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        return self._decide(lambda: cast(Aggregator, self.method)(gramian, losses, tasks), tasks)


class RowWrapper(_BesideTheLosses, RowAggregator):
    """A wrapper of what decides weights by rows."""

    precision = torch.float64

    def bind(self, num_tasks: int) -> None:
        super().bind(num_tasks)
        self.require_nothing_learned()

    def needs_rows(self, tasks: Tensor) -> bool:
        return self.will_ask(tasks) and cast(RowAggregator, self.method).needs_rows(tasks)

    def row_weights(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        return self._decide(lambda: cast(RowAggregator, self.method).decide(jacobian, losses, tasks), tasks)


def _kind_for(method: GivesWeights) -> type[Wrapper]:
    if isinstance(method, Weighting):
        return WeightingWrapper
    return AggregatorWrapper if isinstance(method, Aggregator) else RowWrapper


_made: dict[tuple[type, type], type[Wrapper]] = {}


def _of_kind(wrapper: type, kind: type) -> type[Wrapper]:
    """The wrapper as a method of the kind; it goes by the wrapper's name."""
    if (wrapper, kind) not in _made:
        words = {"__module__": wrapper.__module__, "__doc__": wrapper.__doc__}
        _made[wrapper, kind] = type(wrapper.__name__, (wrapper, kind), words)
    return _made[wrapper, kind]


def _blank(wrapper: type, kind: type) -> Wrapper:
    made = _of_kind(wrapper, kind)
    return made.__new__(made)
