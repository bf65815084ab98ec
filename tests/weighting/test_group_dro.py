import math

import numpy as np
import pytest
import torch
from driving import bound, weights_of

from equipoise.testing import check_method
from equipoise.weighting.group_dro import GroupDRO

WHY = {"is_homogeneous": "its rate is one over a loss"}
HISTORY = [[4.0, 1.0, 2.0], [3.0, 1.5, 2.1], [3.5, 0.5, 1.8]]


def test_laws():
    check_method(GroupDRO, except_for=WHY)


@pytest.mark.parametrize("rate", [0.01, 1.0])
def test_weights_follow_algorithm_1(rate):
    method, q = bound(GroupDRO(rate)), np.ones(3) / 3
    for losses in HISTORY:
        q = q * np.exp(rate * np.array(losses))
        q = q / q.sum()
        assert weights_of(method, losses) == pytest.approx(q, rel=1e-5)


def test_it_depends_on_rate_times_loss_only():
    plain, scaled = bound(GroupDRO(0.5)), bound(GroupDRO(0.125))
    for losses in HISTORY:
        assert weights_of(scaled, [4 * loss for loss in losses]) == pytest.approx(weights_of(plain, losses), rel=1e-5)


def test_present_tasks_exchange_what_they_hold_and_an_absent_one_keeps_its_share():
    method = bound(GroupDRO(1.0))
    before = torch.softmax(method.log_q, 0)
    present = weights_of(method, [1.0, 3.0], [0, 2])
    after = torch.softmax(method.log_q, 0)
    assert after[1] == pytest.approx(before[1].item())
    assert present == pytest.approx([1 / (1 + math.exp(2)), 1 / (1 + math.exp(-2))])
    assert after[0] / after[2] == pytest.approx(math.exp(-2), rel=1e-5)


def test_the_player_finds_the_worst_task_and_comes_back_from_it():
    method = bound(GroupDRO(1.0), 2)
    for _ in range(300):
        weights = weights_of(method, [1.0, 3.0])
    assert weights == pytest.approx([0.0, 1.0])
    for _ in range(600):
        weights = weights_of(method, [3.0, 1.0])
    assert weights == pytest.approx([1.0, 0.0])


def test_a_loss_that_is_not_finite_leaves_no_trace():
    method = bound(GroupDRO(1.0), 2)
    method(torch.tensor([math.nan, math.inf]))
    assert method.log_q.tolist() == pytest.approx([0.0, 0.0], abs=1e-6)


def test_errors():
    with pytest.raises(ValueError, match=r"rate must be in \(0, inf\], got 0"):
        GroupDRO(0)
