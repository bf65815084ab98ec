import math
import statistics

import pytest
import torch
from driving import bound, weights_of

from equipoise.testing import check_method
from equipoise.weighting.cov import CoV

HISTORY = [[4.0, 1.0, 2.0], [3.0, 1.5, 2.1], [3.5, 0.5, 1.8], [1.0, 0.7, 2.2], [0.5, 0.9, 1.5]]


def coefficient(losses):
    """Deviation over mean of loss / mean of the losses before it, the first ratio being 1."""
    ratios = [1.0] + [losses[t] / statistics.mean(losses[:t]) for t in range(1, len(losses))]
    return statistics.pstdev(ratios) / statistics.mean(ratios)


def test_laws():
    check_method(CoV)


def test_weights_are_coefficients_of_variation_of_the_steps_before():
    method = bound(CoV())
    for step, losses in enumerate(HISTORY):
        weights = weights_of(method, losses)
        if step < 2:
            assert weights == pytest.approx([1 / 3] * 3)
        else:
            c = [coefficient([row[k] for row in HISTORY[:step]]) for k in range(3)]
            assert weights == pytest.approx([one / sum(c) for one in c], rel=1e-4)


def test_the_scale_of_a_loss_does_not_enter():
    plain, scaled = bound(CoV()), bound(CoV())
    for row in HISTORY:
        weights = weights_of(plain, row)
        assert weights_of(scaled, [row[0] * 1e-9, row[1], row[2] * 1e9]) == pytest.approx(weights, rel=1e-4)


def test_every_task_has_its_own_count_of_steps():
    method = bound(CoV())
    for row in HISTORY[:3]:
        weights_of(method, row[:2], [0, 1])
    c = [coefficient([row[k] for row in HISTORY[:3]]) for k in range(2)]
    c.append((c[0] + c[1]) / 2)  # not known yet
    assert weights_of(method, HISTORY[3]) == pytest.approx([one / sum(c) for one in c], rel=1e-4)
    c = [coefficient([row[k] for row in HISTORY[:4]]) for k in range(2)]
    c.append((c[0] + c[1]) / 2)  # one step shows no variation yet
    assert weights_of(method, HISTORY[4]) == pytest.approx([one / sum(c) for one in c], rel=1e-4)


def test_losses_that_never_vary_or_are_zero_give_equal_weights():
    method = bound(CoV())
    for _ in range(4):
        assert weights_of(method, [1.0, 0.0, 5.0]) == pytest.approx([1 / 3] * 3)


def test_a_loss_that_is_not_finite_is_not_counted():
    method, clean = bound(CoV()), bound(CoV())
    for row in HISTORY:
        weights_of(method, row)
        weights_of(clean, row)
        method(torch.tensor([math.nan] * 3))
    assert weights_of(method, HISTORY[0]) == weights_of(clean, HISTORY[0])


def test_errors():
    with pytest.raises(ValueError, match="needs losses that are not negative, got -1 for task 1"):
        bound(CoV())(torch.tensor([1.0, -1.0, 1.0]))
