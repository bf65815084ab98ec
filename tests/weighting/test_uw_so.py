import math

import pytest
import torch
from driving import bound, weights_of

import equipoise as eq
from equipoise.testing import check_method
from equipoise.weighting.uw_so import UWSO

WHY = {"is_homogeneous": "its temperature is one over a loss"}
LOSSES = [0.5, 2.0, 1.0]


def test_laws():
    check_method(UWSO, except_for=WHY)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 20.0])
def test_weights_are_the_softmax_of_inverse_losses(temperature):
    exps = [math.exp(1 / loss / temperature) for loss in LOSSES]
    weights = weights_of(bound(UWSO(temperature)), LOSSES)
    assert weights == pytest.approx([e / sum(exps) for e in exps])
    assert sum(weights) == pytest.approx(1)


def test_it_depends_on_loss_times_temperature_only():
    scaled = weights_of(bound(UWSO(1 / 8)), [8 * loss for loss in LOSSES])
    assert scaled == pytest.approx(weights_of(bound(UWSO()), LOSSES))


def test_a_users_weight_scales_the_term_and_not_the_softmax():
    model = torch.nn.Linear(1, 2, bias=False)
    for weights in ({"a": 1.0, "b": 1.0}, {"a": 5.0, "b": 1.0}):
        balancer = eq.Balancer(UWSO(), model, tasks=weights, scale="paper")
        a, b = model(torch.ones(1)) * 0 + torch.tensor([0.5, 2.0])
        balancer({"a": a, "b": b}).backward()
        exps = [math.exp(2.0), math.exp(0.5)]
        expected = [weight * e / sum(exps) for weight, e in zip(weights.values(), exps, strict=True)]
        assert list(balancer.record.weights.values()) == pytest.approx(expected)


def test_a_tiny_loss_takes_all_and_nothing_overflows():
    assert weights_of(bound(UWSO()), [1e-30, 1.0, 1.0]) == [1.0, 0.0, 0.0]


def test_errors():
    with pytest.raises(ValueError, match=r"temperature must be in \(0, inf\], got 0"):
        UWSO(0)
    with pytest.raises(ValueError, match="got 0 for task 1"):
        bound(UWSO())(torch.tensor([1.0, 0.0, 1.0]))
