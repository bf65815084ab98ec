import pytest
import torch
from driving import bound, weights_of

import equipoise as eq
from equipoise.testing import check_method
from equipoise.weighting.ema import EMA
from equipoise.weighting.uw_o import UWO


@pytest.mark.parametrize("beta", [0.0, 0.9, 0.99])
def test_laws(beta):
    check_method(lambda: EMA(beta))


def test_the_weight_is_one_over_the_bias_corrected_running_mean():
    beta, history = 0.8, [[4.0, 1.0], [2.0, 3.0], [1.0, 0.5]]
    method = bound(EMA(beta), 2)
    for t, losses in enumerate(history):
        shares = [beta ** (t - s) for s in range(t + 1)]
        means = [sum(w * row[k] for w, row in zip(shares, history, strict=False)) / sum(shares) for k in range(2)]
        assert weights_of(method, losses) == pytest.approx([1 / mean for mean in means], rel=1e-5)


def test_beta_zero_is_uw_o():
    method = bound(EMA(0.0))
    for losses in ([3.0, 0.2, 40.0], [1.0, 5.0, 2.0]):
        assert weights_of(method, losses) == pytest.approx(weights_of(bound(UWO()), losses))


def test_an_absent_task_keeps_its_mean():
    method = bound(EMA(0.5), 2)
    weights_of(method, [4.0, 8.0])
    weights_of(method, [2.0], [0])
    assert weights_of(method, [2.0, 8.0])[1] == pytest.approx(1 / 8)


def test_a_loss_that_is_not_finite_is_not_counted():
    method = bound(EMA(), 2)
    weights_of(method, [torch.inf, torch.nan])
    weights_of(method, [4.0, 2.0])
    weights_of(method, [torch.nan, torch.inf])
    assert weights_of(method, [4.0, 2.0]) == pytest.approx([1 / 4, 1 / 2])


def test_a_users_weight_scales_the_result():
    model = torch.nn.Linear(1, 2, bias=False)
    balancer = eq.Balancer(EMA(), model, tasks={"a": 3.0, "b": 1.0})
    a, b = model(torch.ones(1)) * 0 + torch.tensor([4.0, 0.5])
    balancer({"a": a, "b": b}).backward()
    assert balancer.record.weights == pytest.approx({"a": 3 / 4, "b": 2.0})


def test_errors():
    for beta in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match=rf"beta must be in \[0, 1\), got {beta}"):
            EMA(beta)
    method = bound(EMA(0.5), 2)
    weights_of(method, [4.0, 1.0])
    weights_of(method, [4.0, 0.0])  # the mean is positive
    with pytest.raises(ValueError, match=r"needs positive losses, got -.* for task 1"):
        method(torch.tensor([4.0, -9.0]))
