"""Cox's losses beside the likelihood that lifelines fits."""

import pytest
import torch
from torch.testing import assert_close

from equipoise.losses.survival import cox, cox_efron

lifelines = pytest.importorskip("lifelines")
pandas = pytest.importorskip("pandas")


def fitted(times, events, features):
    """Coefficients, and the log likelihood there."""
    frame = pandas.DataFrame({"time": times, "event": events, "a": features[:, 0], "b": features[:, 1]})
    model = lifelines.CoxPHFitter().fit(frame, "time", "event")
    return torch.tensor(model.params_.to_numpy()), model.log_likelihood_


def data(seed, decimals):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(80, 2, generator=generator, dtype=torch.float64)
    times = (
        torch.rand(80, generator=generator, dtype=torch.float64) * (features @ torch.tensor([0.5, -1.0]).double()).exp()
    )
    return features, times.mul(10**decimals).ceil(), (torch.rand(80, generator=generator) < 0.7).double()


@pytest.mark.parametrize(("loss", "decimals"), [(cox, 9), (cox_efron, 9), (cox_efron, 0), (cox_efron, 1)])
def test_log_likelihood_beside_lifelines(loss, decimals):
    """lifelines breaks ties as Efron; with 9 decimals there are none. Its fit is where the gradient vanishes."""
    features, times, events = data(0, decimals)
    coefficients, log_likelihood = fitted(times, events, features)
    hazards = features @ coefficients.requires_grad_()
    value = loss(hazards, times, events, reduction="sum")
    assert_close(-value.item(), log_likelihood, rtol=1e-8, atol=0)
    (slope,) = torch.autograd.grad(value, coefficients)
    assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-3)
