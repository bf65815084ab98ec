"""PINA: a weighting of its solvers, by any method."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.balancer import Balancer
from equipoise.method import Method

try:
    from pina.solver import SingleModelSolver
    from pina.weighting import BaseWeighting
except ModuleNotFoundError as error:
    _package = str(error.name).partition(".")[0]
    raise ModuleNotFoundError(f'{_package} is missing: pip install "equipoise[pina]"', name=_package) from None


class BalancerWeighting(BaseWeighting):  # type: ignore[misc]  # PINA has no types
    """The ``weighting`` of a PINA solver with one model: its conditions are the tasks.

    ``train_loss`` and ``val_loss`` stay the sum of the conditions' losses, times the weights that you give. The solver
    holds the balancer as ``solver.balancer``, so that Lightning's checkpoints have its state, and a
    ``BalancerCallback`` of ``equipoise.trainers.lightning`` makes the calls that the method needs. For L-BFGS, train
    inside ``with weighting.balancer.frozen():``, after some epochs with another optimizer.

    Args:
        method: How to balance; one object serves one solver.
        tasks: {condition: weight}, of all conditions of the problem; 1 each by default.
        options: More of ``Balancer``.

    Raises:
        ValueError: From the solver, if it has several models, ``tasks`` are not its problem's conditions, or the method
            learns parameters.

    >>> weighting = BalancerWeighting(Sum())  # doctest: +SKIP
    >>> solver = PhysicsInformedSingleModelSolver(problem, model, weighting=weighting)  # doctest: +SKIP
    """

    balancer: Balancer  # from the solver's construction on

    def __init__(self, method: Method, *, tasks: Mapping[str, float] | None = None, **options: Any) -> None:
        self._method, self._tasks, self._options = method, tasks, options
        self._conditions: tuple[str, ...] = ()  # of the batch, in its order
        self._of: Any = None
        super().__init__(aggregator=self._total)

    @property
    def _solver(self) -> Any:
        return self._of

    @_solver.setter
    def _solver(self, solver: Any) -> None:
        """A solver says here which it is, before a checkpoint is loaded; PINA has no public name for it."""
        if solver is None or solver is self._of:
            return
        if self._of is not None:
            raise ValueError("the weighting belongs to another solver: make a new one, with a new method")
        if not isinstance(solver, SingleModelSolver):
            raise ValueError(f"{type(solver).__name__} steps several models: balance a solver with one model")
        conditions = list(solver.problem.conditions)
        tasks = dict.fromkeys(conditions, 1.0) if self._tasks is None else dict(self._tasks)
        if tasks.keys() != set(conditions):
            raise ValueError(f"tasks must be the conditions {conditions}, got {list(tasks)}")
        self.balancer = Balancer(self._method, _Trained(solver), tasks=tasks, **self._options)
        if any(True for _ in self.balancer.parameters()):
            raise ValueError(f"{self._method} learns parameters, and PINA's optimizers take those of the model only")
        self._of = solver
        solver.balancer = self.balancer

    def update_weights(self, losses: Mapping[str, Tensor]) -> dict[str, float]:
        """1 for every condition: the balancer, which sees them next, weighs them."""
        self._conditions = tuple(losses)
        return dict.fromkeys(losses, 1.0)

    def last_saved_weights(self) -> dict[str, float]:
        """The effective weights of the last step, by condition; none before the first."""
        return dict(self.balancer.record.weights or {}) if self.balancer.steps else {}

    def _total(self, losses: Tensor) -> Tensor:
        """One scalar of the losses [K, 1], which balances in its backward; in validation, which has none, their sum."""
        named = dict(zip(self._conditions, losses.as_subclass(Tensor).flatten().unbind(), strict=True))
        with torch.set_grad_enabled(bool(self._of.training)):  # PINA validates with gradients, for its equations
            return self.balancer(named)


class _Trained(nn.Module):
    """What a solver's optimizer moves: a model, and the unknowns of an inverse problem, which the Trainer replaces."""

    def __init__(self, solver: Any) -> None:
        super().__init__()
        self.model, self.problem = solver.model, solver.problem

    def named_parameters(self, *arguments: Any, **options: Any) -> Iterator[tuple[str, nn.Parameter]]:
        yield from super().named_parameters(*arguments, **options)
        yield from getattr(self.problem, "unknown_parameters", {}).items()
