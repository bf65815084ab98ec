import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from equipoise.lab.metrics import NormalsMean, NormalsMedian, NormalsWithin, normal_angles

EACH = [NormalsMean, NormalsMedian, lambda: NormalsWithin(30)]


def directions(degrees):
    radians = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    return torch.stack([radians.cos(), radians.sin(), torch.zeros_like(radians)], dim=1)


def value(metric, *batches):
    for batch in batches:
        metric.update(*batch)
    return metric.compute().item()


@pytest.fixture
def scenes():
    draw = torch.Generator().manual_seed(0)
    targets = functional.normalize(torch.randn(4, 3, 5, 6, generator=draw), dim=1)
    return targets + 0.4 * torch.randn(4, 3, 5, 6, generator=draw), targets


def test_values_by_hand():
    # to the x axis: 0, 10, 25, 40 and 170 degrees
    outputs = directions([0.0, 10.0, 25.0, 40.0, 170.0])
    pair = (outputs, directions([0.0] * 5))
    assert value(NormalsMean(), pair) == pytest.approx(49.0)
    assert value(NormalsMedian(), pair) == pytest.approx(25.0)
    assert [value(NormalsWithin(d), pair) for d in (11.25, 22.5, 30)] == pytest.approx([0.4, 0.4, 0.6])
    assert value(NormalsMedian(), (outputs[:4], directions([0.0] * 4))) == pytest.approx(17.5)


def test_lengths_do_not_matter_and_tiny_angles_are_seen():
    tiny = directions([1e-6])
    assert normal_angles(5.0 * tiny, 0.1 * directions([0.0])).item() == pytest.approx(1e-6, rel=1e-6)
    assert normal_angles(-directions([0.0]), directions([0.0])).item() == 180.0


def test_angles_are_those_of_the_arc_cosine(scenes):
    outputs, targets = (np.moveaxis(x.double().numpy(), 1, -1).reshape(-1, 3) for x in scenes)
    cosine = (outputs * targets).sum(1) / np.linalg.norm(outputs, axis=1) / np.linalg.norm(targets, axis=1)
    np.testing.assert_allclose(normal_angles(*scenes).numpy(), np.degrees(np.arccos(cosine)), rtol=1e-6)


def test_an_output_without_direction_is_a_guess():
    assert normal_angles(torch.zeros(1, 3), torch.ones(1, 3)).item() == 90.0


@pytest.mark.parametrize("make", EACH)
def test_pixels_without_normal_count_as_if_they_were_not_there(make, scenes):
    outputs, targets = scenes
    broken = targets.clone()
    broken[0, :, 0, 0] = 0.0
    broken[1, 2, 0, 0] = math.nan
    valid = torch.ones(4, 5, 6, dtype=torch.bool)
    valid[:2, 0, 0] = False
    rows = [x.movedim(1, -1)[valid] for x in (outputs, targets)]
    removed = value(make(), rows)
    assert value(make(), (outputs, broken)) == pytest.approx(removed, rel=1e-9)
    for mask in (valid, valid[:, None]):
        assert value(make(), (outputs, targets, mask)) == pytest.approx(removed, rel=1e-9)


@pytest.mark.parametrize("make", EACH)
def test_unequal_batches_and_ranks_are_one_pass(make, scenes):
    outputs, targets = scenes
    whole = value(make(), (outputs, targets))
    assert value(make(), (outputs[:1], targets[:1]), (outputs[1:], targets[1:])) == pytest.approx(whole, rel=1e-9)
    one, other = make(), make()
    one.update(outputs[:3], targets[:3])
    other.update(outputs[3:], targets[3:])
    one.merge_state(other)
    assert one.compute().item() == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize("make", EACH)
def test_without_a_pixel_there_is_no_value(make):
    assert math.isnan(make().compute().item())
    assert math.isnan(value(make(), (torch.ones(2, 3), torch.zeros(2, 3))))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"targets must be \[N, 3, ...\], got \(2, 4, 4, 3\)"):
        normal_angles(torch.ones(2, 4, 4, 3), torch.ones(2, 4, 4, 3))
    with pytest.raises(ValueError, match=r"mask and pixels must have the same shape, got \(2, 3\) and \(2, 4\)"):
        normal_angles(torch.ones(2, 3, 4), torch.ones(2, 3, 4), torch.ones(2, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"degrees must lie in \(0, 180\], got 0"):
        NormalsWithin(0)
