import math

import pytest
import torch
from torch.testing import assert_close

from equipoise.lab.metrics import DepthAbsoluteError, DepthDelta, DepthRelativeError, DepthRMSE

EACH = [DepthAbsoluteError, DepthRelativeError, DepthRMSE, DepthDelta]


def value(metric, *batches):
    for batch in batches:
        metric.update(*batch)
    return metric.compute().item()


@pytest.fixture
def scenes():
    draw = torch.Generator().manual_seed(0)
    targets = torch.rand(5, 1, 6, 7, generator=draw) * 9 + 0.5
    outputs = targets * torch.exp(0.3 * torch.randn(5, 1, 6, 7, generator=draw))
    return outputs, targets


def test_values_by_hand():
    # errors 1, 2, 0, relative 1/2, 1/4, 0, squares 1, 4, 0
    outputs, targets = torch.tensor([[3.0, 6.0, 5.0]]), torch.tensor([[2.0, 8.0, 5.0]])
    assert value(DepthAbsoluteError(), (outputs, targets)) == pytest.approx(1.0)
    assert value(DepthRelativeError(), (outputs, targets)) == pytest.approx(0.25)
    assert value(DepthRMSE(), (outputs, targets)) == pytest.approx(math.sqrt(5 / 3))


@pytest.mark.parametrize(("power", "share"), [(1, 1 / 5), (2, 3 / 5), (3, 4 / 5)])
def test_delta_counts_ratios_either_way_below_the_threshold(power, share):
    # ratios 1.2, 1.25, 1.5, 1.9, 2; 1.25² = 1.5625 and 1.25³ = 1.953; 1.25 itself is not below 1.25
    outputs, targets = torch.tensor([1.2, 1.0, 1.5, 1.0, 2.0]), torch.tensor([1.0, 1.25, 1.0, 1.9, 1.0])
    assert value(DepthDelta(power), (outputs, targets)) == pytest.approx(share)


def test_a_depth_that_is_not_positive_is_never_close():
    assert value(DepthDelta(3), (torch.tensor([-1.0, 0.0, 1.0]), torch.ones(3))) == pytest.approx(1 / 3)


@pytest.mark.parametrize("make", EACH)
def test_pixels_without_depth_count_as_if_they_were_not_there(make, scenes):
    outputs, targets = scenes
    broken = targets.clone()
    broken[0, 0, 0, :4] = torch.tensor([0.0, -1.0, math.nan, math.inf])
    valid = torch.ones_like(targets, dtype=torch.bool)
    valid[0, 0, 0, :4] = False
    removed = value(make(), (outputs[valid], targets[valid]))
    assert value(make(), (outputs, broken)) == pytest.approx(removed, rel=1e-12)
    assert value(make(), (outputs, targets, valid)) == pytest.approx(removed, rel=1e-12)
    assert value(make(), (outputs, targets)) != pytest.approx(removed, rel=1e-9)


@pytest.mark.parametrize("make", EACH)
def test_unequal_batches_and_ranks_are_one_pass(make, scenes):
    outputs, targets = scenes
    whole = value(make(), (outputs, targets))
    assert value(make(), (outputs[:1], targets[:1]), (outputs[1:], targets[1:])) == pytest.approx(whole, rel=1e-12)
    one, other = make(), make()
    one.update(outputs[:4], targets[:4])
    other.update(outputs[4:], targets[4:])
    one.merge_state(other)
    assert_close(one.compute().item(), whole, rtol=1e-12, atol=0)


@pytest.mark.parametrize("make", EACH)
def test_without_a_pixel_there_is_no_value(make):
    assert math.isnan(value(make(), (torch.ones(2, 3), torch.zeros(2, 3))))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"outputs and targets must have the same shape, got \(2, 1\) and \(2,\)"):
        DepthRMSE().update(torch.ones(2, 1), torch.ones(2))
    with pytest.raises(ValueError, match="power must be positive, got 0"):
        DepthDelta(0)
