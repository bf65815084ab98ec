import math

import numpy as np
import pytest
import torch
from driving import bound, weights_of

from equipoise.testing import check_method
from equipoise.weighting.relobralo import ReLoBRaLo

HISTORY = [[4.0, 1.0, 2.0], [3.0, 1.5, 2.1], [3.5, 0.5, 1.8], [1.0, 0.7, 2.2], [0.5, 0.9, 1.5]]


def balance(losses, earlier, temperature):
    exps = [math.exp(loss / (temperature * past)) for loss, past in zip(losses, earlier, strict=True)]
    return np.array([len(losses) * e / sum(exps) for e in exps])


@pytest.mark.parametrize("arguments", [{}, {"alpha": 0.5, "beta": 0.5, "temperature": 0.3, "seed": 2}])
def test_laws(arguments):
    check_method(lambda: ReLoBRaLo(**arguments))


@pytest.mark.parametrize("beta", [0.0, 1.0])
@pytest.mark.parametrize("temperature", [1.0, 0.1])
def test_weights_follow_the_recursion(beta, temperature):
    method, weights = bound(ReLoBRaLo(0.8, beta, temperature)), np.ones(3)
    assert weights_of(method, HISTORY[0]) == pytest.approx([1, 1, 1])
    for t in range(1, len(HISTORY)):
        back = weights if beta else balance(HISTORY[t], HISTORY[0], temperature)
        weights = 0.8 * back + 0.2 * balance(HISTORY[t], HISTORY[t - 1], temperature)
        actual = weights_of(method, HISTORY[t])
        assert actual == pytest.approx(weights, rel=1e-4)
        assert sum(actual) == pytest.approx(3)


def test_the_share_of_looks_back_is_one_minus_beta():
    # alpha = 1: the weights change when, and only when, the start is looked back at
    method, looks = bound(ReLoBRaLo(alpha=1.0, beta=0.8), 2), 0
    weights_of(method, [1.0, 1.0])
    before = [1.0, 1.0]
    for step in range(500):
        weights = weights_of(method, [1.0, 1.0 + 0.5 * math.sin(step)])
        looks += weights != before
        before = weights
    assert looks / 500 == pytest.approx(0.2, abs=0.05)


def test_an_absent_task_keeps_its_weight_and_its_last_loss():
    method = bound(ReLoBRaLo(0.5, 1.0))
    for row in HISTORY[:2]:
        before = weights_of(method, row)
    weights = weights_of(method, [3.5, 1.8], [0, 2])
    assert method.weights[1].item() == before[1]
    now = balance([3.5, 1.8], [3.0, 2.1], 1.0)
    assert weights == pytest.approx([0.5 * before[0] + 0.5 * now[0], 0.5 * before[2] + 0.5 * now[1]], rel=1e-4)
    assert method.last.tolist() == pytest.approx([3.5, 1.5, 1.8])


def test_a_loss_that_is_not_finite_is_no_reference_and_zero_counts_as_no_change():
    method = bound(ReLoBRaLo(0.0, 1.0), 2)
    method(torch.tensor([math.inf, 0.0]))
    method.weights.fill_(1.0)
    assert weights_of(method, [1.0, 3.0]) == pytest.approx([1.0, 1.0])
    assert weights_of(method, [2.0, 3.0]) == pytest.approx(balance([2.0, 3.0], [1.0, 3.0], 1.0), rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 1.5}, r"alpha must be in \[0, 1\], got 1.5"),
        ({"beta": -0.5}, r"beta must be in \[0, 1\], got -0.5"),
        ({"temperature": 0.0}, r"temperature must be in \(0, inf\], got 0.0"),
        ({"seed": -1}, r"seed must be a whole number, 0 or more, got -1"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        ReLoBRaLo(**arguments)
    with pytest.raises(ValueError, match="got -1 for task 0"):
        bound(ReLoBRaLo(), 2)(torch.tensor([-1.0, 1.0]))
