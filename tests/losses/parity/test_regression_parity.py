"""Regression losses beside those of torch and scikit-learn."""

import pytest
import torch
from torch.testing import assert_close

from equipoise.losses.regression import gaussian_nll, pinball, rmse

metrics = pytest.importorskip("sklearn.metrics")


def pair():
    return torch.randn(50, 3, dtype=torch.float64), torch.randn(50, 3, dtype=torch.float64)


def test_gaussian_nll_beside_torch():
    """Its variance is s^2, its constant there with ``full=True``."""
    (mean, target), log_scale = pair(), torch.randn(50, 3, dtype=torch.float64)
    for reduction in ("none", "mean", "sum"):
        expected = torch.nn.GaussianNLLLoss(full=True, eps=1e-12, reduction=reduction)(
            mean, target, (2 * log_scale).exp()
        )
        assert_close(gaussian_nll(mean, log_scale, target, reduction=reduction), expected)


@pytest.mark.parametrize("quantile", [0.05, 0.5, 0.8])
def test_pinball_beside_scikit_learn(quantile):
    prediction, target = pair()
    expected = metrics.mean_pinball_loss(target.numpy(), prediction.numpy(), alpha=quantile)
    assert pinball(prediction, target, quantiles=quantile).item() == pytest.approx(expected)


def test_rmse_beside_scikit_learn():
    prediction, target = pair()
    expected = metrics.root_mean_squared_error(target.flatten().numpy(), prediction.flatten().numpy())
    assert rmse(prediction, target).item() == pytest.approx(expected)
