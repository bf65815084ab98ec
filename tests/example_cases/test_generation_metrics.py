import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist

from generation import (
    FrechetDistance,
    GeneratedPrecision,
    GeneratedRecall,
    frechet_distance,
    gaussian_distance,
    neighbour_coverage,
)


def sets(n=60, m=45, features=5):
    draw = torch.Generator().manual_seed(0)
    mixing = torch.randn(features, features, generator=draw)
    return torch.randn(n, features, generator=draw) @ mixing + 1, torch.randn(m, features, generator=draw)


def test_gaussians_whose_covariances_commute_have_a_closed_form():
    # |m - m'|² + Σ (s - s')² for diagonal covariances
    s, other = torch.tensor([1.0, 2.0, 0.0]).double(), torch.tensor([3.0, 0.5, 2.0]).double()
    mean, other_mean = torch.tensor([0.0, 1.0, 2.0]).double(), torch.tensor([2.0, 1.0, 1.0]).double()
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64))[0]
    covariance, other_covariance = ((turn * x.square()) @ turn.T for x in (s, other))
    distance = gaussian_distance(mean, covariance, other_mean, other_covariance)
    assert distance.item() == pytest.approx(5 + 4 + 2.25 + 4)


def test_sets_have_the_formula_with_scipys_matrix_root():
    generated, real = (x.double().numpy() for x in sets())
    s, other = np.cov(generated.T), np.cov(real.T)
    expected = ((generated.mean(0) - real.mean(0)) ** 2).sum() + np.trace(s + other - 2 * sqrtm(s @ other).real)
    assert frechet_distance(*sets()).item() == pytest.approx(expected, rel=1e-8)


def test_frechet_laws():
    generated, real = sets()
    assert frechet_distance(real, real).item() == pytest.approx(0.0, abs=1e-10)
    assert frechet_distance(generated, real).item() == pytest.approx(frechet_distance(real, generated).item())
    shift = torch.tensor([3.0, 0.0, 4.0, 0.0, 0.0])
    assert frechet_distance(real + shift, real).item() == pytest.approx(25.0, rel=1e-5)


def test_fewer_samples_than_features_are_no_difficulty():
    generated, real = sets(n=4, m=3)
    assert math.isfinite(frechet_distance(generated, real).item())
    assert frechet_distance(real, real).item() == pytest.approx(0.0, abs=1e-9)


def coverage_by_definition(covered, covering, k):
    radii = np.sort(cdist(covering, covering), axis=1)[:, k]
    return (cdist(covered, covering) <= radii).any(axis=1).mean()


@pytest.mark.parametrize("k", [1, 3, 10])
def test_coverage_is_its_definition(k):
    generated, real = sets()
    expected = coverage_by_definition(generated.double().numpy(), real.double().numpy(), k)
    assert 0 < expected < 1
    assert neighbour_coverage(generated, real, k).item() == pytest.approx(expected)


def test_sets_larger_than_a_chunk():
    generated, real = sets(n=1100, m=1050)
    expected = coverage_by_definition(generated.double().numpy(), real.double().numpy(), 3)
    assert neighbour_coverage(generated, real).item() == pytest.approx(expected)


def test_a_sample_is_in_its_own_ball_and_nothing_is_far_away():
    _, real = sets()
    assert neighbour_coverage(real, real).item() == 1.0
    assert neighbour_coverage(real + 1000, real).item() == 0.0


def test_precision_sees_realism_and_recall_diversity():
    _, real = sets()
    collapsed = real[:5] + 1e-3 * torch.randn(5, 5, generator=torch.Generator().manual_seed(1))
    precision, recall = GeneratedPrecision(), GeneratedRecall()
    for metric in (precision, recall):
        metric.update(collapsed, real)
    assert precision.compute().item() == 1.0
    assert recall.compute().item() == coverage_by_definition(real.double().numpy(), collapsed.double().numpy(), 3) < 0.8


@pytest.mark.parametrize("make", [lambda **o: FrechetDistance(5, **o), GeneratedPrecision, GeneratedRecall])
def test_unequal_batches_and_ranks_are_one_pass(make):
    generated, real = sets()
    whole, parts, one, other = make(), make(), make(), make()
    whole.update(generated, real)
    parts.update(generated[:10], real[:31])
    parts.update(generated[10:], real[31:])
    one.update(generated[:10], real[:31])
    other.update(generated[10:], real[31:])
    one.merge_state(other)
    expected = whole.compute().item()
    assert parts.compute().item() == pytest.approx(expected, rel=1e-9)
    assert one.compute().item() == pytest.approx(expected, rel=1e-9)
    parts.reset()
    assert math.isnan(parts.compute().item())


@pytest.mark.parametrize("make", [lambda **o: FrechetDistance(5, **o), GeneratedPrecision, GeneratedRecall])
def test_features_are_those_of_the_given_network(make):
    generated, real = sets(features=8)
    network = torch.nn.Linear(8, 5)
    metric, plain = make(features=network), make()
    metric.update(generated, real)
    plain.update(network(generated).detach(), network(real).detach())
    assert metric.compute().item() == plain.compute().item()


def test_too_few_samples_are_no_value_in_a_metric_and_an_error_in_a_function():
    frechet = FrechetDistance(5)
    frechet.update(torch.ones(1, 5), torch.ones(9, 5))
    assert math.isnan(frechet.compute().item())
    precision = GeneratedPrecision(k=3)
    precision.update(torch.ones(9, 5), torch.ones(3, 5))
    assert math.isnan(precision.compute().item())
    with pytest.raises(ValueError, match="k must be below the number of samples, got k = 3 with 3 samples"):
        neighbour_coverage(torch.ones(9, 5), torch.ones(3, 5))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="num_features is 4, but generated has 5"):
        FrechetDistance(4).update(torch.ones(2, 5), torch.ones(2, 5))
    with pytest.raises(ValueError, match=r"features must be \[N, D\], got \(2, 3, 4\)"):
        GeneratedPrecision().update(torch.ones(2, 3, 4), torch.ones(2, 3, 4))
    with pytest.raises(ValueError, match="k must be a positive integer, got 0"):
        GeneratedRecall(k=0)
