"""Regression losses equal their formulas; the densities are those of torch.distributions."""

import math

import pytest
import torch
from laws import Case, laws_for
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

import equipoise as eq
from equipoise.losses.regression import (
    GaussianNLLLoss,
    LaplaceNLLLoss,
    LogCoshLoss,
    PinballLoss,
    RMSELoss,
    gaussian_nll,
    laplace_nll,
    log_cosh,
    pinball,
    rmse,
)

QUANTILES = (0.1, 0.5, 0.75)


def pair(n, generator):
    return tuple(2 * torch.randn(n, 4, generator=generator, dtype=torch.float64) for _ in range(2))


def quantile_pair(n, generator):
    prediction = 2 * torch.randn(n, 4, len(QUANTILES), generator=generator, dtype=torch.float64)
    return prediction, torch.randn(n, 4, generator=generator, dtype=torch.float64)


def spread(n, generator):
    return tuple(torch.randn(n, 4, generator=generator, dtype=torch.float64) for _ in range(3))


CASES = [
    Case("rmse", rmse, pair, elementwise=False),
    Case("log cosh", log_cosh, pair),
    Case("pinball, the median", pinball, pair),
    Case("pinball, one quantile", pinball, pair, keywords={"quantiles": 0.9}),
    Case("pinball, three quantiles", pinball, quantile_pair, keywords={"quantiles": QUANTILES}),
    Case("pinball, a tensor of quantiles", pinball, quantile_pair, keywords={"quantiles": torch.tensor(QUANTILES)}),
    Case("gaussian nll", gaussian_nll, spread, learned=(0, 1)),
    Case("laplace nll", laplace_nll, spread, learned=(0, 1)),
]
test_laws, test_compiles = laws_for(CASES)


def test_rmse_is_its_formula_and_so_is_its_gradient():
    """d rmse / d prediction = error / (N rmse)."""
    prediction, target = pair(7, torch.Generator().manual_seed(1))
    prediction.requires_grad_()
    loss = rmse(prediction, target)
    assert_close(loss, (prediction - target).square().mean().sqrt())
    (slope,) = torch.autograd.grad(loss, prediction)
    assert_close(slope, (prediction - target) / (28 * loss))


def test_a_perfect_prediction_has_no_gradient():
    for loss in (rmse, log_cosh, pinball):
        prediction = torch.ones(3, 2, requires_grad=True)
        value = loss(prediction, torch.ones(3, 2))
        (slope,) = torch.autograd.grad(value, prediction)
        assert value == 0
        assert (slope == 0).all()


def test_rmse_of_many_keeps_its_digits():
    ones = torch.ones(2**24 + 2**20)
    assert_close(rmse(3 * ones, ones), torch.tensor(2.0))


def test_log_cosh_is_its_formula():
    error = torch.linspace(-20, 20, 101, dtype=torch.float64)
    assert_close(log_cosh(error, torch.zeros_like(error), reduction="none"), error.cosh().log())


def test_log_cosh_at_its_limits():
    """x^2 / 2 for small errors, |x| - log 2 for large ones, where cosh overflows; its slope is tanh."""
    error = torch.tensor([1e-3, -1e-2, 3.0, 1e4, -1e30], requires_grad=True)
    losses = log_cosh(error, torch.zeros(5), reduction="none")
    expected = [5e-7, 5e-5 - 1e-8 / 12, math.log(math.cosh(3.0)), 1e4 - math.log(2), 1e30]
    assert_close(losses, torch.tensor(expected), rtol=1e-6, atol=2e-7)
    (slope,) = torch.autograd.grad(losses.sum(), error)
    assert_close(slope, error.detach().tanh(), rtol=1e-5, atol=1e-7)


def test_pinball_by_hand():
    # 0.9-quantile: too low by 2 costs 0.9 * 2, too high by 2 costs 0.1 * 2
    losses = pinball(torch.tensor([1.0, 5.0]), torch.tensor([3.0, 3.0]), quantiles=0.9, reduction="none")
    assert_close(losses, torch.tensor([1.8, 0.2]))


def test_the_median_is_half_the_absolute_error():
    prediction, target = pair(9, torch.Generator().manual_seed(2))
    assert_close(pinball(prediction, target), F.l1_loss(prediction, target) / 2)


@pytest.mark.parametrize("quantile", [0.05, 0.3, 0.5, 0.9])
def test_pinball_is_least_at_the_quantile_of_the_sample(quantile):
    """Koenker and Bassett: among constants, sample points included, none is better than the sample's quantile."""
    sample = torch.randn(101, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    at = sample.quantile(quantile, interpolation="higher")
    constants = torch.cat([sample, torch.linspace(-3, 3, 50, dtype=torch.float64)])
    losses = torch.stack([pinball(c.expand(101), sample, quantiles=quantile) for c in constants])
    assert pinball(at.expand(101), sample, quantiles=quantile) <= losses.min() + 1e-12


def test_each_quantile_is_as_if_alone():
    prediction, target = quantile_pair(5, torch.Generator().manual_seed(4))
    together = pinball(prediction, target, quantiles=QUANTILES, reduction="none")
    for column, quantile in enumerate(QUANTILES):
        alone = pinball(prediction[..., column], target, quantiles=quantile, reduction="none")
        assert_close(together[..., column], alone)


@pytest.mark.parametrize(
    ("loss", "density"), [(gaussian_nll, torch.distributions.Normal), (laplace_nll, torch.distributions.Laplace)]
)
def test_nll_is_minus_the_log_density(loss, density):
    mean, log_scale, target = spread(20, torch.Generator().manual_seed(5))
    expected = -density(mean, log_scale.exp()).log_prob(target)
    assert_close(loss(mean, log_scale, target, reduction="none"), expected)


@pytest.mark.parametrize("loss", [gaussian_nll, laplace_nll])
def test_the_best_scale_is_the_size_of_the_error(loss):
    """d/ds (e^2 / 2s^2 + log s) = 0 and d/ds (|e| / s + log s) = 0 at s = |e|."""
    error = torch.tensor([0.01, -2.0, 300.0], dtype=torch.float64)
    log_scale = error.abs().log().requires_grad_()
    (slope,) = torch.autograd.grad(loss(torch.zeros_like(error), log_scale, error, reduction="sum"), log_scale)
    assert_close(slope, torch.zeros_like(slope))


@pytest.mark.parametrize("loss", [gaussian_nll, laplace_nll])
def test_a_perfect_mean_leaves_the_log_scale(loss):
    mean, log_scale = torch.ones(2, requires_grad=True), torch.tensor([-80.0, 80.0], requires_grad=True)
    value = loss(mean, log_scale, torch.ones(2), reduction="sum")
    slope, scale_slope = torch.autograd.grad(value, [mean, log_scale])
    assert_close(slope, torch.zeros(2))
    assert_close(scale_slope, torch.ones(2))


def test_modules_are_their_functions():
    prediction, target = pair(9, torch.Generator().manual_seed(6))
    assert_close(RMSELoss()(prediction, target), rmse(prediction, target))
    assert_close(LogCoshLoss("sum")(prediction, target), log_cosh(prediction, target, reduction="sum"))
    assert_close(PinballLoss(0.25)(prediction, target), pinball(prediction, target, quantiles=0.25))
    quantiles, target = quantile_pair(9, torch.Generator().manual_seed(6))
    module = PinballLoss(QUANTILES, reduction="sum")
    expected = pinball(quantiles, target, quantiles=QUANTILES, reduction="sum")
    assert_close(module(quantiles, target), expected)
    assert repr(module) == "PinballLoss(quantiles=(0.1, 0.5, 0.75), reduction='sum')"
    assert not module.state_dict()


@pytest.mark.parametrize(("module", "loss"), [(GaussianNLLLoss, gaussian_nll), (LaplaceNLLLoss, laplace_nll)])
def test_nll_modules_take_one_output_and_so_serve_a_task(module, loss):
    mean, log_scale, target = spread(9, torch.Generator().manual_seed(7))
    output = torch.stack([mean, log_scale], dim=-1)
    expected = loss(mean, log_scale, target, reduction="sum")
    assert_close(module("sum")(output, target), expected)
    losses = eq.Tasks([eq.Task("height", module("sum"))]).losses({"height": output}, {"height": target})
    assert_close(losses["height"], expected)


A, B = torch.randn(4), torch.randn(4)
MISUSES = [
    (lambda: rmse(A, B[:, None]), r"prediction and target must have the same shape.*squeeze\(-1\)"),
    (lambda: rmse(A, B.long()), r"target must be floating point.*\.float"),
    (lambda: log_cosh(A[:, None], B), r"prediction and target must have the same shape.*squeeze\(-1\)"),
    (lambda: log_cosh(A, B, reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: LogCoshLoss(reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: pinball(A, B, quantiles=1.0), r"quantiles must lie in \(0, 1\), got 1.0: 0.9 is the 90th"),
    (lambda: pinball(A, B, quantiles=90), r"quantiles must lie in \(0, 1\), got 90: 0.9 is the 90th"),
    (lambda: PinballLoss((0.5, 0.0)), r"quantiles must lie in \(0, 1\), got 0.0"),
    (lambda: PinballLoss((0.5, float("nan"))), r"quantiles must lie in \(0, 1\), got nan"),
    (lambda: PinballLoss(reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: pinball(A, B, quantiles=(0.1, 0.9)), r"prediction must have shape \[..., Q\] = \(4, 2\).*got \(4,\)"),
    (lambda: pinball(A[:, None], B, quantiles=0.5), r"prediction and target must have the same shape.*squeeze"),
    (lambda: pinball(A, B, quantiles=torch.tensor([0.1, 2.0])), r"quantiles must lie in \(0, 1\), got \[0.1"),
    (lambda: pinball(A, B, quantiles=torch.tensor([[0.1]])), r"quantiles must have shape \[\] or \[Q\], got \(1, 1\)"),
    (lambda: pinball(A, B, quantiles=torch.tensor([1])), r"quantiles must be floating point"),
    (lambda: gaussian_nll(A, B[:, None], A), r"mean and log_scale must have the same shape"),
    (lambda: laplace_nll(A, B, A[:2]), r"mean and target must have the same shape"),
    (lambda: laplace_nll(A, B.long(), A), r"log_scale must be floating point.*\.float"),
    (lambda: GaussianNLLLoss()(A, B), r"prediction must have shape \[..., 2\] = \(4, 2\), mean and log-scale"),
    (lambda: GaussianNLLLoss(reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: LaplaceNLLLoss(reduction="avg"), r"reduction must be .*got 'avg'"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
