"""PerGroup: balance each group of parameters by a method of its own, which sees that group's gradients alone.

A rule; no paper.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

import torch
from torch import Tensor, nn

from equipoise.arguments import short_repr
from equipoise.chain import AggregatorChain, Composite
from equipoise.method import Aggregator, GroupAggregator, Method, Weighting

Source = nn.Module | Iterable[Tensor]


class PerGroup(Composite, GroupAggregator):
    """weights_nk = w_k of group n's method, which sees the gradients by that group's parameters alone.

    So an encoder may follow MGDA while the layers above it take the plain sum. What a method guarantees for all
    parameters (no task gets worse) it guarantees within its group only. A module is read at every step.

    Args:
        groups: {name: (a module or parameters, a Weighting or an Aggregator)}; no parameter in two groups, no method
            in two, and no ``Weighting`` with parameters that learn: that goes before, in a ``Chain``.
        rest: The method of all other shared parameters together. Without one, a shared parameter in no group is an
            error that names it.
    """

    def __init__(
        self,
        groups: Mapping[str, tuple[Source, Weighting | Aggregator]],
        rest: Weighting | Aggregator | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(groups, Mapping):
            raise ValueError(f"groups must be {{name: (parameters, method)}}, got {short_repr(groups)}")
        if not groups and rest is None:
            raise ValueError("groups is empty: name at least one, or give a method for the rest")
        self._groups = {name: _checked(name, *_pair(name, given)) for name, given in groups.items()}
        self._rest = () if rest is None else (_checked("rest", (), rest),)
        methods = [method for _, method in (*self._groups.values(), *self._rest)]
        if len(set(methods)) < len(methods):
            raise ValueError(f"one method object serves two groups, with its state: make two; got {self}")
        self._methods = nn.ModuleList(AggregatorChain(method) for method in methods)
        decisive = [method.user_weight for method in methods if method.user_weight != "scales"]
        self.user_weight = decisive[-1] if decisive else "scales"

    @property
    def groups(self) -> Mapping[str, tuple[Source, Weighting | Aggregator]]:
        """{name: (a module or parameters, method)}, read-only."""
        return MappingProxyType(self._groups)

    @property
    def parts(self) -> tuple[Method, ...]:
        return tuple(cast(Iterator[Method], iter(self._methods)))

    def bind(self, num_tasks: int) -> None:
        super().bind(num_tasks)
        self.require_nothing_learned()

    def sum_factor(self, num_tasks: int) -> float | None:
        """The one that all its methods have; ``None`` if they differ."""
        factors = {method.sum_factor(num_tasks) for method in self.parts}
        return factors.pop() if len(factors) == 1 else None

    def groups_of(self, parameters: Mapping[str, Tensor]) -> list[list[Tensor]]:
        names = {parameter: name for name, parameter in parameters.items()}
        group_of: dict[Tensor, str] = {}
        groups = {name: _read(source) for name, (source, _) in self.groups.items()}
        for name, group in groups.items():
            if names.keys().isdisjoint(group):
                raise ValueError(f"group {name!r} holds none of the parameters that the balancer was given")
            for parameter in group:
                if group_of.setdefault(parameter, name) != name:
                    which = names.get(parameter, f"of shape {tuple(parameter.shape)}")
                    raise ValueError(f"parameter {which} is in two groups, {group_of[parameter]!r} and {name!r}")
        others = [[parameter for parameter in names if parameter not in group_of] for _ in self._rest]
        return [*groups.values(), *others]

    def forward(self, gramians: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        pairs = zip(self.parts, gramians, strict=True)
        return torch.stack([method(gramian, losses, tasks) for method, gramian in pairs])

    def extra_repr(self) -> str:
        """The groups with their methods and the number of their parameters."""
        groups = (f"{name!r}: (<{len(_read(s))} parameters>, {method!r})" for name, (s, method) in self.groups.items())
        return ", ".join([f"{{{', '.join(groups)}}}", *(f"rest={method!r}" for _, method in self._rest)])


def _pair(name: str, given: Any) -> tuple[Any, Any]:
    if not isinstance(given, Sequence) or len(given) != 2:
        raise ValueError(f"group {name!r} must be (parameters, method), got {short_repr(given)}")
    return given[0], given[1]


def _checked(name: str, source: Source, method: Any) -> tuple[nn.Module | tuple[Tensor, ...], Weighting | Aggregator]:
    if not isinstance(method, Weighting | Aggregator):
        raise ValueError(f"the method of {name!r} must be a Weighting or an Aggregator, got {short_repr(method)}")
    return source if isinstance(source, nn.Module) else tuple(source), method


def _read(source: nn.Module | Iterable[Tensor]) -> list[Tensor]:
    """The parameters as they are now, each once."""
    return list(dict.fromkeys(source.parameters() if isinstance(source, nn.Module) else source))
