import math

import numpy as np
import pytest
import torch
from driving import bound, weights_of

from equipoise.testing import check_method
from equipoise.weighting.softadapt import SoftAdapt

WHY = {"is_homogeneous": "its beta is one over a loss, unless slopes are normalised"}
HISTORY = [[4.0, 1.0, 2.0], [3.0, 1.5, 2.1], [3.5, 0.5, 1.8], [1.0, 0.7, 2.2], [0.5, 0.9, 1.5]]


def naive(slopes, beta, factors=(1, 1, 1)):
    terms = [f * math.exp(beta * s) for f, s in zip(factors, slopes, strict=True)]
    return pytest.approx([term / sum(terms) for term in terms], rel=1e-4)


def last(method):
    for losses in HISTORY:
        weights = weights_of(method, losses)
    return weights


def test_laws():
    check_method(SoftAdapt, except_for=WHY)
    check_method(lambda: SoftAdapt(loss_weighted=True, window=3), except_for=WHY)
    check_method(lambda: SoftAdapt(normalised=True))
    check_method(lambda: SoftAdapt(-2.0, normalised=True, loss_weighted=True, window=4))


@pytest.mark.parametrize("beta", [0.1, 2.0, -3.0])
def test_original(beta):
    assert last(bound(SoftAdapt(beta))) == naive([-0.5, 0.2, -0.7], beta)


@pytest.mark.parametrize("beta", [0.1, 2.0, -3.0])
def test_normalised_slopes_are_divided_by_the_sum_of_their_sizes(beta):
    # by the signed sum, as in the public package, all signs would turn when losses fall: here it is -1
    assert last(bound(SoftAdapt(beta, normalised=True))) == naive([-0.5 / 1.4, 0.2 / 1.4, -0.7 / 1.4], beta)


def test_a_positive_beta_favours_the_loss_that_falls_slowest():
    for normalised in (False, True):
        method = bound(SoftAdapt(5.0, normalised=normalised))
        weights_of(method, [1.0, 1.0, 1.0])
        fast, slow, rising = weights_of(method, [0.2, 0.9, 1.1])
        assert fast < slow < rising


def test_loss_weighted():
    means = [0.75, 0.8, 1.85]
    assert last(bound(SoftAdapt(2.0, loss_weighted=True))) == naive([-0.5, 0.2, -0.7], 2.0, means)


@pytest.mark.parametrize("window", [2, 3, 5])
def test_the_slope_is_that_of_least_squares(window):
    slopes = np.polyfit(np.arange(window), np.array(HISTORY)[-window:], 1)[0]
    assert last(bound(SoftAdapt(2.0, window=window))) == naive(slopes, 2.0)


def test_equal_until_the_window_of_every_present_task_is_full():
    method = bound(SoftAdapt(2.0), 2)
    assert weights_of(method, [1.0], [0]) == [1.0]
    assert weights_of(method, [3.0, 1.0]) == [0.5, 0.5]
    assert weights_of(method, [3.0, 2.0]) == pytest.approx([1 / (1 + math.exp(2)), 1 / (1 + math.exp(-2))])


def test_a_loss_that_is_not_finite_is_not_counted():
    method = bound(SoftAdapt(2.0), 2)
    weights_of(method, [1.0, 1.0])
    method(torch.tensor([math.inf, math.nan]))
    assert weights_of(method, [1.0, 2.0]) == pytest.approx([1 / (1 + math.exp(2)), 1 / (1 + math.exp(-2))])


def test_constant_losses_give_equal_weights():
    method = bound(SoftAdapt(2.0, normalised=True))
    for _ in range(3):
        assert weights_of(method, [1.0, 0.0, 5.0]) == pytest.approx([1 / 3] * 3)
    method = bound(SoftAdapt(2.0, normalised=True, loss_weighted=True))
    for _ in range(3):
        assert weights_of(method, [0.0, 0.0, 0.0]) == pytest.approx([1 / 3] * 3)


def test_errors():
    with pytest.raises(ValueError, match=r"window must be a whole number, 2 or more, got 1"):
        SoftAdapt(window=1)
    with pytest.raises(ValueError, match="losses that are not negative, got -1 for task 1"):
        bound(SoftAdapt(loss_weighted=True))(torch.tensor([1.0, -1.0, 1.0]))


def test_a_users_weight_scales_and_is_no_slope():
    method = SoftAdapt(beta=1.0)
    method.bind(2)
    method.prefer(torch.tensor([1000.0, 1.0], dtype=torch.float64))
    for step in range(4):
        losses = (1.0 - 0.1 * step) * torch.tensor([1000.0, 1.0]).requires_grad_()
        leaf = losses.detach().requires_grad_()
        (weights,) = torch.autograd.grad(method(leaf), leaf)
    torch.testing.assert_close(weights, torch.tensor([0.5, 0.5]))
