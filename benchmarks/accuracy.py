"""How exact the routes are: Gramians in float32 beside one in float64, and combined gradients beside each other.

    python benchmarks/accuracy.py
    python benchmarks/accuracy.py --models mlp text --tasks 3

A network and its batch are made in float32; the reference is the same numbers converted to float64, by rows. Errors are
relative, in the Frobenius norm. Gradients are combined with weights of one, lest a method's answer to an
error in the Gramian is counted too; their difference is the largest between two routes in float32.
"""

import argparse
from itertools import combinations

import torch
from torch import Tensor

import equipoise as eq
from contenders import Route
from models import MODELS, build

_ROUTES: tuple[Route, ...] = ("auto", "factored", "rows")
_GRAMIAN_LIMIT, _GRADIENT_LIMIT = 1e-6, 1e-5


class _Equal(eq.Aggregator):
    """Weights of one, from a Gramian all the same."""

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        return torch.ones_like(losses)


def measure(model: str, num_tasks: int, route: Route, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The Gramian [K, K] and the combined gradient [P] of the first step."""
    problem = build(model, num_tasks).to(dtype)
    balancer = eq.Balancer(_Equal(), problem, tasks=problem.names, route=route)
    _, losses = problem()
    balancer(losses).backward()
    assert balancer.record.gramian is not None
    gradients = [parameter.grad for parameter in problem.trunk.parameters()]
    return balancer.record.gramian, torch.cat([g.flatten().double() for g in gradients if g is not None])


def difference(value: Tensor, reference: Tensor) -> float:
    """Relative to the reference, in the Frobenius norm."""
    return float((value - reference).norm() / reference.norm())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--tasks", nargs="+", type=int, default=[3, 10], metavar="K")
    options = parser.parse_args()
    print(" " * 23 + "Gramian against float64" + " " * 11 + "gradient")
    print(" " * 20 + "".join(f"  {route:>8}" for route in _ROUTES) + "     between routes")
    for model in options.models:
        for num_tasks in options.tasks:
            exact, _ = measure(model, num_tasks, "rows", torch.float64)
            found = [measure(model, num_tasks, route, torch.float32) for route in _ROUTES]
            errors = [difference(gramian, exact) for gramian, _ in found]
            apart = max(difference(one, other) for (_, one), (_, other) in combinations(found, 2))
            met = max(errors) <= _GRAMIAN_LIMIT and apart <= _GRADIENT_LIMIT
            print(
                f"{model:15} K = {num_tasks:<2}" + "".join(f"  {error:8.1e}" for error in errors) + f"  {apart:12.1e}"
                f"       {'met   ' if met else 'MISSED'} at most {_GRAMIAN_LIMIT:.0e} and {_GRADIENT_LIMIT:.0e}"
            )


if __name__ == "__main__":
    main()
