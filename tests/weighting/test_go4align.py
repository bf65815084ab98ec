import math

import numpy as np
import pytest
import torch
from driving import bound, weights_of

import equipoise as eq
from equipoise.testing import check_method
from equipoise.weighting.go4align import GO4Align
from equipoise.weighting.log_sum import LogSum

WHY = {"is_homogeneous": "its rate is one over a loss"}
HISTORY = [[4.0, 1.0, 1.2], [3.0, 1.5, 2.1], [0.5, 3.5, 3.0]]


def test_laws():
    check_method(GO4Align, except_for=WHY)
    check_method(lambda: GO4Align(groups=1), except_for=WHY)
    check_method(lambda: GO4Align(groups=3, rate=0.0))


@pytest.mark.parametrize("rate", [1e-4, 0.3])
def test_weights_are_group_means_of_scaled_risk(rate):
    method, p = bound(GO4Align(2, rate)), np.ones(3) / 3
    for row in HISTORY:
        losses = np.array(row)
        p = p * np.exp(-rate * losses)
        p = p / p.sum()
        indicators = losses.sum() / losses * p
        best = min(
            ([a, b] for a, b in ((0, 1), (0, 2), (1, 2))),
            key=lambda pair: abs(indicators[pair[0]] - indicators[pair[1]]),
        )
        expected = indicators.copy()
        expected[best] = indicators[best].mean()
        assert weights_of(method, row) == pytest.approx(expected, rel=1e-5)


def test_one_group_has_one_weight_and_as_many_as_tasks_are_log_sum():
    losses = HISTORY[0]
    one = weights_of(bound(GO4Align(1, 0.0)), losses)
    assert one == pytest.approx([np.mean(np.sum(losses) / np.array(losses)) / 3] * 3)
    each = weights_of(bound(GO4Align(5, 0.0)), losses)
    expected = np.array(weights_of(bound(LogSum()), losses)) * np.sum(losses) / 3
    assert each == pytest.approx(expected)


def test_an_absent_task_keeps_its_share():
    method = bound(GO4Align(2, 0.5))
    weights_of(method, HISTORY[0])
    before = torch.softmax(method.log_p, 0)
    weights_of(method, [1.0, 3.0], [0, 2])
    after = torch.softmax(method.log_p, 0)
    assert after[1] == pytest.approx(before[1].item(), rel=1e-5)
    assert (after[0] / after[2] / (before[0] / before[2])).item() == pytest.approx(math.exp(0.5 * 2), rel=1e-5)


def test_a_users_weight_scales_the_result_and_moves_no_task_to_another_group():
    for weight in (1.0, 100.0):
        losses = torch.nn.Parameter(torch.tensor(HISTORY[0]))
        balancer = eq.Balancer(GO4Align(), [losses], tasks={"a": weight, "b": 1.0, "c": 1.0})
        a, b, c = losses
        balancer({"a": a, "b": b, "c": c}).backward()
        first, *others = weights_of(bound(GO4Align()), HISTORY[0])
        assert list(balancer.record.weights.values()) == pytest.approx([weight * first, *others], rel=1e-5)


def test_a_loss_that_is_not_finite_is_left_to_the_engine():
    method = bound(GO4Align(), 2)
    assert not method(torch.tensor([1.0, math.inf])).isfinite()
    assert method.log_p.tolist() == pytest.approx([0.0, 0.0], abs=1e-3)


def test_errors():
    with pytest.raises(ValueError, match=r"groups must be a whole number, 1 or more, got 0"):
        GO4Align(0)
    with pytest.raises(ValueError, match=r"rate must be in \[0, inf\), got -1"):
        GO4Align(rate=-1)
    with pytest.raises(ValueError, match="needs positive losses, got 0 for task 1"):
        bound(GO4Align(), 2)(torch.tensor([1.0, 0.0]))
