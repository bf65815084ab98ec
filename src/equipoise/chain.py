"""Methods made of methods: what they have in common, and their chain."""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import torch
from torch import Tensor, nn
from typing_extensions import Self

from equipoise.method import (
    Aggregator,
    CoordinateAggregator,
    GroupAggregator,
    Method,
    RowAggregator,
    UserWeight,
    Weighting,
    overridden,
)
from equipoise.plain_sum import Sum


def linearise(weighting: Weighting, losses: Tensor, tasks: Tensor) -> tuple[Tensor, Tensor]:
    """The objective [] cut off from the losses [K], and the weights [K] = d objective / d losses.

    What is left of the objective's graph leads to the weighting's own parameters.
    """
    with torch.enable_grad():
        leaf = losses.detach().requires_grad_()
        objective = weighting(leaf, tasks)
        (weights,) = torch.autograd.grad(objective, leaf, retain_graph=True)
    return objective, weights


class Composite(Method):
    """A method made of methods, its ``parts``, which are told all that it is told."""

    @property
    @abstractmethod
    def parts(self) -> tuple[Method, ...]:
        """The methods that it is made of."""

    def name_tasks(self, names: Sequence[str]) -> None:
        for part in self.parts:
            part.name_tasks(names)

    def bind(self, num_tasks: int) -> None:
        for part in self.parts:
            part.bind(num_tasks)

    def prefer(self, weights: Tensor) -> None:
        for part in self.parts:
            part.prefer(weights)

    def sum_factor(self, num_tasks: int) -> float | None:
        """The product of its parts'; ``None`` if the norm of one of them is its own."""
        factors = [part.sum_factor(num_tasks) for part in self.parts]
        return None if None in factors else math.prod(cast(list[float], factors))

    def match_sum(self) -> None:
        """Every part matches the sum of what it is shown, so that what is made of them needs no factor of its own."""
        for part in self.parts:
            part.match_sum()

    def end_epoch(self) -> None:
        for part in self.parts:
            part.end_epoch()

    def observe(self, results: Tensor, tasks: Tensor) -> None:
        for part in self.parts:
            part.observe(results, tasks)

    def after_step(self, losses: Tensor, tasks: Tensor) -> None:
        for part in self.parts:
            part.after_step(losses, tasks)

    @property
    def needs(self) -> frozenset[str]:
        """What its parts need, and what a subclass listens to itself."""
        return overridden(type(self), Composite).union(*(part.needs for part in self.parts))

    def require_nothing_learned(self) -> None:
        """Raise if a part has parameters, whose gradient would be lost where weights alone are taken of it."""
        if learned := [name for name, _ in self.named_parameters()]:
            raise ValueError(
                f"{self} would cut off the parameters {', '.join(learned)}, which learn from the losses: put what "
                "learns before it, as in Chain(UW(), Smooth(0.9, MGDA()))"
            )


class Chain(Composite):
    """Steps in turn, each seeing the rows that the one before scaled; again a method.

    Loss weightings come first, then aggregators, then at most one coordinate aggregator or group aggregator; the
    chain is of the type that sees most. It is associative, and ``Sum`` is its unit. Aggregators are shown the losses
    as they came, beside the rows that earlier steps scaled. In a balancer with ``scale="sum"`` each step that means
    sums instead: ``Chain(UnitNorm(), MGDA())`` is then as long as ``UnitNorm()`` where all gradients are equal.
    """

    def __new__(cls, *steps: Method) -> "Chain":
        """Choose the type of the chain: that of the step that sees most."""
        if cls is Chain:
            cls = _RANK[max((_rank(step) for step in steps), default=0)]
        return super().__new__(cls)

    def __init__(self, *steps: Method) -> None:
        super().__init__()
        flat = [inner for step in steps for inner in (step.steps if isinstance(step, Chain) else (step,))]
        self._steps = nn.ModuleList(step for step in flat if not isinstance(step, Sum))
        ranks = [_rank(step) for step in self.steps]
        if ranks != sorted(ranks) or sum(rank > 1 for rank in ranks) > 1:
            raise ValueError(
                "Chain takes loss weightings, then aggregators, then at most one coordinate aggregator or group "
                f"aggregator, got {self}"
            )
        for step in self.steps[1:]:
            if any(_compares(part) for part in step.modules()):
                raise ValueError(
                    f"{step} compares losses before and after a step, and must come first in a Chain, before they are "
                    f"scaled; got {self}"
                )
        if len(set(self.steps)) < len(self.steps):
            raise ValueError(f"Chain holds one method object twice, and its state with it: make two; got {self}")
        decisive = [step.user_weight for step in self.steps if step.user_weight != "scales"]
        self.user_weight: UserWeight = decisive[-1] if decisive else "scales"

    @property
    def steps(self) -> tuple[Method, ...]:
        """The steps, flattened, without the unit."""
        return tuple(cast(Iterator[Method], iter(self._steps)))

    @property
    def parts(self) -> tuple[Method, ...]:
        return self.steps

    def stated(self, tasks: Sequence[int]) -> list[float] | None:
        found = [weights for step in self.steps if (weights := step.stated(tasks)) is not None]
        return [math.prod(factors) for factors in zip(*found, strict=True)] if found else None

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Self:
        for step in self.steps:
            step._apply(fn, recurse)
        return self

    def __repr__(self) -> str:
        return f"Chain({', '.join(map(repr, self.steps))})"


def _compares(part: nn.Module) -> bool:
    """Whether this is a weighting that reads the losses after a step itself, and does not only hand them on."""
    return isinstance(part, Weighting) and not isinstance(part, Composite) and "after_step" in part.needs


class WeightingChain(Chain, Weighting):
    """A chain of loss weightings: weights multiply, each step's parameters follow its own objective."""

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        terms, own = losses, losses.new_zeros(())
        try:
            for step in self.steps[:-1]:
                objective, weights = linearise(cast(Weighting, step), terms, tasks)
                own = own + (objective - objective.detach())
                terms = weights * terms
            return own + (self.steps[-1](terms, tasks) if self.steps else terms.sum())
        except ValueError as error:
            if lost := [int(k) for k, term, loss in zip(tasks, terms, losses, strict=True) if term == 0 != loss]:
                raise ValueError(
                    f"a step of {self} gave weight 0 to tasks {lost} (counted from 0), so that the one after it saw "
                    "losses of 0: put a floor under the weights, as in Bounded(0.01, None, step), or turn the steps. "
                    f"Its error: {error}"
                ) from error
            raise


class AggregatorChain(Chain, Aggregator):
    """A chain that ends in the space of K numbers: scaling row k by w_k makes G diag(w) G diag(w)."""

    def needs_gramian(self, tasks: Tensor) -> bool:
        return any(step.needs_gramian(tasks) for step in self.steps if isinstance(step, Aggregator))

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        total = torch.ones_like(losses)
        for step in self.steps:
            if isinstance(step, Weighting):
                _, weights = linearise(step, losses, tasks)
            else:
                weights = step(gramian, losses, tasks)
            gramian = weights[:, None] * gramian * weights
            total = total * weights
        return total


class GroupChain(Chain, GroupAggregator):
    """A chain whose last step sees the scaled gramians of groups."""

    def groups_of(self, parameters: Mapping[str, Tensor]) -> list[list[Tensor]]:
        return cast(GroupAggregator, self.steps[-1]).groups_of(parameters)

    def forward(self, gramians: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        *scalings, last = self.steps
        weights = AggregatorChain(*scalings)(gramians.sum(dim=0), losses, tasks)
        return weights * cast(Tensor, last(weights[:, None] * gramians * weights, losses, tasks))


class CoordinateChain(Chain, CoordinateAggregator):
    """A chain whose last step sees the scaled jacobian."""

    def forward(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        *scalings, last = self.steps
        rows = jacobian.double()
        weights = AggregatorChain(*scalings)((rows @ rows.T).cpu(), losses.double().cpu(), tasks.cpu())
        return cast(Tensor, last(weights.to(jacobian)[:, None] * jacobian, losses, tasks))


_RANK: list[type[Chain]] = [WeightingChain, AggregatorChain, GroupChain, CoordinateChain]


def _rank(method: Method) -> int:
    """How much a method sees: 0 losses, 1 the gramian, 2 gramians of groups, 3 the jacobian."""
    for rank, kind in enumerate((Weighting, Aggregator, GroupAggregator, CoordinateAggregator)):
        if isinstance(method, kind):
            return rank
    found = f"{method.__name__}: write {method.__name__}()" if isinstance(method, type) else repr(method)
    found += ": write Chain(*steps)" if isinstance(method, list | tuple) else ""
    raise TypeError(f"a method is a Weighting, an Aggregator, a GroupAggregator or a CoordinateAggregator, got {found}")


@dataclass(frozen=True, eq=False)
class Parts:
    """A method by what its parts see: losses, the gramian, gramians of groups, rows."""

    weighting: Weighting
    aggregator: Aggregator | None
    group: GroupAggregator | None
    coordinate: CoordinateAggregator | None

    @cached_property
    def takes_gradients(self) -> bool:
        """Whether a step needs the gradients of single tasks."""
        return any(part is not None for part in (self.aggregator, self.group, self.coordinate))

    @cached_property
    def needs_whole_rows(self) -> bool:
        """Whether sums over slices of the gradients of all parameters are not enough."""
        return self.group is not None or self.coordinate is not None

    @cached_property
    def row(self) -> RowAggregator | None:
        """The part that decides weights by rows."""
        return self.coordinate if isinstance(self.coordinate, RowAggregator) else None

    @cached_property
    def decides_weights(self) -> bool:
        """Whether it decides one weight for each task."""
        return self.group is None and (self.coordinate is None or self.row is not None)

    @cached_property
    def has_coordinate_state(self) -> bool:
        """Whether the method has state for single coordinates."""
        modules = () if self.coordinate is None else self.coordinate.modules()
        return any(isinstance(part, CoordinateAggregator) and part.has_coordinate_state for part in modules)


def split(method: Method) -> Parts:
    """The parts of a method; a chain falls into chains."""
    steps = Chain(method).steps
    weightings = [step for step in steps if isinstance(step, Weighting)]
    aggregators = [step for step in steps if isinstance(step, Aggregator)]
    return Parts(
        cast(Weighting, Chain(*weightings)) if len(weightings) > 1 else next(iter(weightings), Sum()),
        cast(Aggregator, Chain(*aggregators)) if len(aggregators) > 1 else next(iter(aggregators), None),
        next((step for step in steps if isinstance(step, GroupAggregator)), None),
        next((step for step in steps if isinstance(step, CoordinateAggregator)), None),
    )
