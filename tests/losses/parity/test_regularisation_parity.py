"""Penalties beside scikit-learn's: its solutions are where the penalised loss is least."""

import numpy as np
import pytest
import torch

from equipoise.losses.penalised import Penalised
from equipoise.losses.regularisation import elastic_net, l1, l2

linear_model = pytest.importorskip("sklearn.linear_model")

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(40, 6))
TARGETS = INPUTS @ np.array([2.0, -1.0, 0.0, 0.0, 0.5, 0.0]) + RNG.normal(size=40)
EXACT = {"fit_intercept": False, "tol": 1e-12, "max_iter": 100_000}


@pytest.mark.parametrize(
    ("solver", "penalty", "strength"),
    [
        (linear_model.Lasso(alpha=0.3, **EXACT), l1, 0.3),
        (linear_model.ElasticNet(alpha=0.4, l1_ratio=0.5, **EXACT), elastic_net, 0.4),
        (linear_model.Ridge(alpha=0.5 * 40, fit_intercept=False, solver="cholesky"), l2, 0.5),
    ],
    ids=["lasso", "elastic net", "ridge"],
)
def test_its_solution_is_our_minimum(solver, penalty, strength):
    """scikit-learn: ‖y − Xw‖² / 2n + alpha · penalty; Ridge: ‖y − Xw‖² + alpha ‖w‖², 2n times as much."""
    solution = torch.from_numpy(solver.fit(INPUTS, TARGETS).coef_)
    inputs, targets = torch.from_numpy(INPUTS), torch.from_numpy(TARGETS)

    def value(weight):
        loss = Penalised(lambda w: (targets - inputs @ w).square().mean() / 2, penalty, strength)
        return loss(weight)

    zero = solution == 0
    assert bool(zero.any()) == (penalty is not l2)
    weight = solution.clone().requires_grad_()
    (slope,) = torch.autograd.grad(value(weight), weight)
    assert slope[~zero].abs().max() < 1e-9
    best = value(solution)
    for step in torch.cat([torch.eye(6), -torch.eye(6)]).double():
        assert value(solution + 1e-4 * step) > best
