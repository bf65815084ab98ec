import math

import pytest
import torch
from driving import bound, weights_of

import equipoise as eq
from equipoise.testing import check_method
from equipoise.weighting.lagrangian import Lagrangian

WHY = {
    "is_homogeneous": "limits and rate are in the units of a loss",
    "ignores_task_order": "its limits belong to the tasks by their places",
}


def test_laws():
    check_method(lambda: Lagrangian([None, 0.1, 0.2, None, 0.3], 0.5), except_for=WHY)


def test_multipliers_rise_beyond_the_limit_and_fall_to_zero_within():
    method = bound(Lagrangian([None, 1.0, 2.0], rate=0.5))
    assert weights_of(method, [7.0, 3.0, 1.0]) == [1.0, 0.0, 0.0]
    assert weights_of(method, [7.0, 2.0, 6.0]) == [1.0, 1.0, 0.0]  # 0.5 * 2
    assert weights_of(method, [7.0, 0.0, 1.0]) == [1.0, 1.5, 2.0]  # + 0.5 * 1; 0.5 * 4
    assert weights_of(method, [7.0, -5.0, 2.0]) == [1.0, 1.0, 1.5]  # - 0.5 * 1; - 0.5 * 1
    assert weights_of(method, [7.0, 1.0, 2.0]) == [1.0, 0.0, 1.5]  # not below 0
    assert method(torch.tensor([7.0, 3.0, 4.0])).item() == pytest.approx(7 + 0 + 1.5 * 2)


def test_training_ends_at_the_constrained_minimum():
    # min (x - 3)^2 with (x + 1)^2 <= 4: x = 1, where 2 (x - 3) + lambda 2 (x + 1) = 0 gives lambda = 1
    x = torch.nn.Parameter(torch.tensor(0.0, dtype=torch.float64))
    method = Lagrangian([None, 4.0], rate=0.1)
    balancer = eq.Balancer(method, [x], tasks=["main", "limited"])
    optimizer = torch.optim.SGD([x], lr=0.1)
    for _ in range(600):
        optimizer.zero_grad()
        balancer({"main": (x - 3) ** 2, "limited": (x + 1) ** 2}).backward()
        optimizer.step()
    assert x.item() == pytest.approx(1, abs=1e-3)
    assert method.multiplier.tolist() == pytest.approx([1, 1], abs=1e-3)


def test_a_limit_that_does_not_bind_leaves_the_main_task_alone():
    method = bound(Lagrangian([None, 10.0]), 2)
    for _ in range(3):
        assert weights_of(method, [5.0, 9.0]) == [1.0, 0.0]


def test_absent_tasks_and_losses_that_are_not_finite_move_no_multiplier():
    method = bound(Lagrangian([None, 1.0, 2.0], rate=0.5))
    weights_of(method, [7.0, 3.0, 3.0])
    before = method.multiplier.tolist()
    weights_of(method, [7.0, 2.0], [0, 2])
    method(torch.tensor([1.0, math.inf, math.nan]))
    assert method.multiplier.tolist() == before


def test_a_users_weight_scales_the_term_with_its_limit():
    losses = torch.nn.Parameter(torch.tensor([5.0, 4.0]))
    balancer = eq.Balancer(Lagrangian([None, 1.0], 0.5), [losses], tasks={"a": 3.0, "b": 2.0})
    for counts in ([3.0, 0.0], [3.0, 2 * 0.5 * 2 * (4 - 1)]):
        losses.grad = None
        a, b = losses
        balancer({"a": a, "b": b}).backward()
        assert losses.grad.tolist() == counts


def test_errors():
    for limits in ([1.0, 2.0], [None, math.nan], [None, math.inf], []):
        with pytest.raises(ValueError, match="limits must be finite, and None for at least one main task"):
            Lagrangian(limits)
    with pytest.raises(ValueError, match=r"rate must be in \(0, inf\], got 0"):
        Lagrangian([None], rate=0)
    with pytest.raises(ValueError, match=r"limits must hold one value for each of 3 tasks, got \[None, 1.0\]"):
        bound(Lagrangian([None, 1.0]))
