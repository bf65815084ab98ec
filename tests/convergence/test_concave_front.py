"""Fonseca's front is concave: methods that look for any Pareto-stationary point stop on its middle, sums at its ends.

x = s / sqrt(P) in all coordinates is Pareto-optimal for s from -1 to 1. A weighted sum has its minima at the ends:
abs(s) above 0.94 for weights from 0.45 to 0.55.
"""

import pytest
import torch
from descent import descend
from fronts import PROBLEMS
from limits import HOVERING, LIMITS, made
from stationary import residual

from equipoise.registry.limit import FRONT, MEAN


def problem(x):
    """With losses above zero, for methods that divide by them."""
    losses, rows = PROBLEMS["fonseca"](x)
    return losses + 0.2, rows


STARTS = [[0.5, -0.4], [-0.1, 0.7], [-0.6, 0.3]]  # about as far from the middle of the set as from its ends
DESCENT = ["mgda", "nash-mtl", "upgrad", "dualproj", "config", "dcgd", "aligned-mtl", "imtl-g"]
ONTO_THE_ENDS = ["sum", "cagrad", "imgrad", "conicgrad", "dwa", "softadapt", "graddrop"]


def place(x):
    """s of the nearest point of the line through the Pareto set."""
    return float(x.sum() / len(x) ** 0.5)


@pytest.mark.paired
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("name", DESCENT)
def test_common_descent_stops_in_the_middle(name, start):
    x, _ = descend(made(name, 2), problem, torch.tensor(start, dtype=torch.float64), 200)
    assert residual(problem(x)[1]) < 1e-3
    assert abs(place(x)) < 0.9


@pytest.mark.slow
@pytest.mark.parametrize("start", STARTS[::2])
@pytest.mark.parametrize("name", ONTO_THE_ENDS)
def test_the_mean_has_its_minima_at_the_ends(name, start):
    assert LIMITS[name].holds == MEAN
    x, _ = descend(made(name, 2), problem, torch.tensor(start, dtype=torch.float64), 1200, rate=0.3)
    assert abs(place(x)) > 0.94


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, limit in LIMITS.items() if limit.holds == FRONT])
def test_the_end_is_stationary_though_the_front_is_not_convex(name):
    steps = 4000 if name == "loss-norm" else 400  # its steps are as long where gradients vanish
    x, mean = descend(made(name, 2), problem, torch.tensor(STARTS[0], dtype=torch.float64), steps, rate=0.2)
    assert residual(problem(mean if name in HOVERING else x)[1]) < 1e-3
