"""What is timed: ways from K losses to the gradients of one step."""

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torchjd.aggregation import GramianWeightedAggregator, MGDAWeighting, Weighting
from torchjd.autogram import Engine
from torchjd.autojac import jac_to_grad, mtl_backward

import equipoise as eq
from models import Problem

Backward = Callable[[Tensor, dict[str, Tensor]], None]  # (representation, losses) -> gradients
Contender = Callable[[Problem, str], Backward]  # (model, name of the gradient method) -> what a step does

Route = Literal["auto", "rows", "batched", "factored", "low-memory"]

PLAIN, FLOOR, AUTO, DEFAULT = "plain sum", "floor", "ours auto", "torchjd default"
EVERY, PERIOD = "ours every 10", 10


def step(problem: Problem, backward: Backward) -> None:
    """A training step without the optimiser."""
    problem.zero_grad()
    backward(*problem())


def plain_sum(problem: Problem, method: str) -> Backward:
    """sum(losses).backward()."""

    def backward(representation: Tensor, losses: dict[str, Tensor]) -> None:
        sum(losses.values(), torch.zeros(())).backward()

    return backward


def floor(problem: Problem, method: str) -> Backward:
    """Each loss differentiated by the parameters that it reaches, and the gradients dropped."""
    reached = [[*problem.trunk.parameters(), *head.parameters()] for head in problem.heads]

    def backward(representation: Tensor, losses: dict[str, Tensor]) -> None:
        last = len(losses) - 1
        for k, (loss, parameters) in enumerate(zip(losses.values(), reached, strict=True)):
            torch.autograd.grad(loss, parameters, retain_graph=k < last)

    return backward


def weighting(problem: Problem, method: str, *, name: str) -> Backward:
    """A loss weighting of ours, whatever the gradient method."""
    balancer = eq.Balancer(eq.method(name), problem, tasks=problem.names)

    def backward(representation: Tensor, losses: dict[str, Tensor]) -> None:
        balancer(losses).backward()

    return backward


def on_shared(problem: Problem, method: str, *, route: Route) -> Backward:
    """Our gradient method on all shared parameters."""
    balancer = eq.Balancer(eq.method(method), problem, tasks=problem.names, route=route)

    def backward(representation: Tensor, losses: dict[str, Tensor]) -> None:
        balancer(losses).backward()

    return backward


def every_tenth(problem: Problem, method: str) -> Backward:
    """Our gradient method on all shared parameters, its weights decided in every tenth step."""
    balancer = eq.Balancer(eq.Every(PERIOD, eq.method(method)), problem, tasks=problem.names)

    def backward(representation: Tensor, losses: dict[str, Tensor]) -> None:
        balancer(losses).backward()

    return backward


def at_representation(problem: Problem, method: str) -> Backward:
    """Our gradient method on the gradients by the representation."""
    balancer = eq.Balancer(eq.method(method), problem, tasks=problem.names)

    def backward(representation: Tensor, losses: dict[str, Tensor]) -> None:
        balancer(losses, representation=representation).backward()

    return backward


def torchjd_default(problem: Problem, method: str) -> Backward:
    """TorchJD as its documentation shows it: all tasks in parallel through vmap."""
    aggregator = GramianWeightedAggregator(_TORCHJD[method]())

    def backward(representation: Tensor, losses: dict[str, Tensor]) -> None:
        mtl_backward(list(losses.values()), features=representation)
        jac_to_grad(problem.trunk.parameters(), aggregator)

    return backward


def torchjd_tuned(problem: Problem, method: str, *, chunk: int | None, by_parameter: bool) -> Backward:
    """TorchJD with its options set and the parameters named."""
    aggregator = GramianWeightedAggregator(_TORCHJD[method]())
    shared = list(problem.trunk.parameters())
    private = [list(head.parameters()) for head in problem.heads]

    def backward(representation: Tensor, losses: dict[str, Tensor]) -> None:
        mtl_backward(
            list(losses.values()),
            features=representation,
            tasks_params=private,
            shared_params=shared,
            parallel_chunk_size=chunk,
        )
        jac_to_grad(shared, aggregator, optimize_gramian_computation=by_parameter)

    return backward


def torchjd_engine(problem: Problem, method: str) -> Backward:
    """TorchJD's Gramian without rows, then one weighted pass; losses are means, so there is no batch dimension."""
    engine = Engine(problem.trunk, batch_dim=None)
    decide = _TORCHJD[method]()

    def backward(representation: Tensor, losses: dict[str, Tensor]) -> None:
        stacked = torch.stack(list(losses.values()))
        stacked.backward(decide(engine.compute_gramian(stacked)))

    return backward


class Checkout:
    """The package of another checkout, beside the one that is imported."""

    def __init__(self, root: Path) -> None:
        self._source = str(root / "src")
        self._modules: dict[str, Any] = {}

    @contextmanager
    def imported(self) -> Iterator[Any]:
        """In this block ``equipoise`` is the other one's."""
        ours = _taken_away()
        sys.modules.update(self._modules)
        sys.path.insert(0, self._source)
        try:
            yield importlib.import_module("equipoise")
        finally:
            self._modules = _taken_away()
            sys.path.remove(self._source)
            sys.modules.update(ours)

    def on_shared(self, problem: Problem, method: str, *, route: Route) -> Backward:
        """The other one's gradient method on all shared parameters."""
        with self.imported() as theirs:
            balancer = theirs.Balancer(theirs.method(method), problem, tasks=problem.names, route=route)

            def backward(representation: Tensor, losses: dict[str, Tensor]) -> None:
                balancer(losses).backward()

            step(problem, backward)  # imports what a step imports
            return backward

    def contenders(self) -> dict[str, Contender]:
        """By name."""
        routes: tuple[Route, ...] = ("auto", "rows")
        return {f"theirs {route}": partial(self.on_shared, route=route) for route in routes}


def _taken_away() -> dict[str, Any]:
    """All modules of an ``equipoise``, no longer found by an import."""
    names = [name for name in sys.modules if name.partition(".")[0] == "equipoise"]
    return {name: sys.modules.pop(name) for name in names}


class _UnitNorm(Weighting[Any]):
    """Weights 1 / |g_k|, which TorchJD does not have: the cheapest method that needs a gramian."""

    def forward(self, stat: Tensor, /) -> Tensor:
        return stat.diagonal().rsqrt()


_TORCHJD: dict[str, Callable[[], Weighting[Any]]] = {"mgda": MGDAWeighting, "unit-norm": _UnitNorm}
METHODS: Iterable[str] = _TORCHJD.keys()

OURS: dict[str, Contender] = {
    "ours sum": partial(weighting, name="sum"),
    "ours uw": partial(weighting, name="uw"),
    AUTO: partial(on_shared, route="auto"),
    "ours factored": partial(on_shared, route="factored"),
    "ours rows": partial(on_shared, route="rows"),
    "ours batched": partial(on_shared, route="batched"),
    "ours low-memory": partial(on_shared, route="low-memory"),
    "ours representation": at_representation,
    EVERY: every_tenth,
}
TORCHJD: dict[str, Contender] = {
    DEFAULT: torchjd_default,
    "torchjd parallel, by parameter": partial(torchjd_tuned, chunk=None, by_parameter=True),
    "torchjd sequential": partial(torchjd_tuned, chunk=1, by_parameter=False),
    "torchjd sequential, by parameter": partial(torchjd_tuned, chunk=1, by_parameter=True),
    "torchjd engine": torchjd_engine,
}
CONTENDERS: dict[str, Contender] = {PLAIN: plain_sum, FLOOR: floor, **OURS, **TORCHJD}
