"""Tchebycheff, STCH and PNorm: what they are, and how they bound each other."""

import math

import pytest
import torch
from driving import bound, weights_of

import equipoise as eq
from equipoise.testing import check_method
from equipoise.weighting.p_norm import PNorm
from equipoise.weighting.stch import STCH
from equipoise.weighting.tchebycheff import Tchebycheff

LOSSES, WEIGHTS, REFERENCE = [3.0, 1.0, 2.0], [0.2, 0.5, 0.3], [0.5, 0.25, -1.0]
Y = [0.5, 0.375, 0.9]  # WEIGHTS (LOSSES - REFERENCE)
PLACES = {"ignores_task_order": "its weights and references belong to the tasks by their places"}
LENGTH = {"delivers_sum": "equal losses are not equally bad under a preference or a reference of each task"}
SCALE = {"is_homogeneous": "mu and a reference are in the units of a loss"}
PREFERENCE = [1.0, 2.0, 0.5, 3.0, 1.0]
IDEAL = [-0.5, -1.0, -0.2, 0.0, -0.1]


def objective(method, losses=LOSSES):
    return method(torch.tensor(losses, dtype=torch.float64)).item()


def test_laws():
    check_method(Tchebycheff)
    check_method(PNorm)
    check_method(lambda: PNorm(1.0))
    check_method(STCH, except_for=SCALE)
    for make in (Tchebycheff, STCH, PNorm):
        check_method(
            lambda make=make: make(weights=PREFERENCE, reference=IDEAL), except_for={**PLACES, **SCALE, **LENGTH}
        )


def test_tchebycheff_is_the_worst_weighted_excess():
    method = bound(Tchebycheff(WEIGHTS, REFERENCE))
    assert objective(method) == pytest.approx(max(Y))
    assert weights_of(method, LOSSES) == pytest.approx([0, 0, 0.3])
    assert weights_of(bound(Tchebycheff()), LOSSES) == pytest.approx([1 / 3, 0, 0])
    assert weights_of(bound(Tchebycheff()), [2.0, 2.0, 1.0]) == pytest.approx([1 / 6, 1 / 6, 0])  # a tie


@pytest.mark.parametrize("mu", [0.01, 0.1, 1.0, 100.0])
def test_stch_is_a_log_sum_of_exponentials(mu):
    method = bound(STCH(mu, WEIGHTS, REFERENCE))
    exps = [math.exp((y - max(Y)) / mu) for y in Y]
    assert objective(method) == pytest.approx(max(Y) + mu * math.log(sum(exps)))
    expected = [w * e / sum(exps) for w, e in zip(WEIGHTS, exps, strict=True)]
    assert weights_of(method, LOSSES) == pytest.approx(expected)
    assert max(Y) <= objective(method) + 1e-12 <= max(Y) + mu * math.log(3) + 2e-12


def test_stch_of_loss_and_mu_scaled_together():
    scaled = weights_of(bound(STCH(4.0)), [4 * loss for loss in LOSSES])
    assert scaled == pytest.approx(weights_of(bound(STCH(1.0)), LOSSES))


def test_stch_does_not_overflow():
    assert weights_of(bound(STCH(1e-3)), [1e30, 1.0, 2.0]) == pytest.approx([1 / 3, 0, 0])


@pytest.mark.parametrize("p", [1.0, 2.0, 3.5])
def test_p_norm_is_a_norm_of_the_weighted_excess(p):
    method = bound(PNorm(p, WEIGHTS, REFERENCE))
    norm = sum(y**p for y in Y) ** (1 / p)
    assert objective(method) == pytest.approx(norm)
    expected = [w * (y / norm) ** (p - 1) for w, y in zip(WEIGHTS, Y, strict=True)]
    assert weights_of(method, LOSSES) == pytest.approx(expected)


def test_p_norm_goes_from_the_mean_to_the_maximum():
    assert objective(bound(PNorm(1.0))) == pytest.approx(sum(LOSSES) / 3)
    assert objective(bound(PNorm(300.0))) == pytest.approx(objective(bound(Tchebycheff())), rel=1e-3)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_p_norm_neither_under_nor_overflows(scale):
    weights = weights_of(bound(PNorm(20.0)), [loss * scale for loss in LOSSES])
    assert weights == pytest.approx(weights_of(bound(PNorm(20.0)), LOSSES))


def test_p_norm_of_zero_losses_has_no_gradient():
    assert weights_of(bound(PNorm(3.0)), [0.0, 0.0, 0.0]) == [0, 0, 0]
    assert weights_of(bound(PNorm(3.0)), [0.0, 0.0, 2.0]) == pytest.approx([0, 0, 1 / 3])


@pytest.mark.parametrize("make", [Tchebycheff, STCH, PNorm])
def test_a_users_weight_multiplies_the_preference_and_the_reference_is_in_the_users_units(make):
    losses = torch.nn.Parameter(torch.tensor(LOSSES))
    balancer = eq.Balancer(
        make(weights=WEIGHTS, reference=REFERENCE),
        [losses],
        tasks={"a": 3.0, "b": 1.0, "c": 0.5},
        scale="paper",
    )
    balancer(dict(zip("abc", losses, strict=True))).backward()
    preferred = [w * u for w, u in zip(WEIGHTS, (3.0, 1.0, 0.5), strict=True)]
    expected = weights_of(bound(make(weights=preferred, reference=REFERENCE)), LOSSES)
    assert losses.grad.tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("make", [Tchebycheff, STCH, PNorm])
def test_an_absent_task_is_not_in_the_formula(make):
    part = bound(make(weights=[WEIGHTS[0], WEIGHTS[2]], reference=[REFERENCE[0], REFERENCE[2]]), 2)
    whole = bound(make(weights=WEIGHTS, reference=REFERENCE))
    assert weights_of(whole, [3.0, 2.0], [0, 2]) == pytest.approx(weights_of(part, [3.0, 2.0]))
    assert weights_of(bound(make()), [3.0, 2.0], [0, 2]) == pytest.approx(weights_of(bound(make(), 2), [3.0, 2.0]))


def test_a_smooth_maximum_finds_points_of_a_non_convex_front_that_no_weighted_sum_does():
    # Fonseca & Fleming: f = 1 - exp(-|x -+ 1/sqrt(2)|^2), whose Pareto set is the diagonal between the two points
    x = torch.tensor([0.3, -0.2], dtype=torch.float64, requires_grad=True)
    ends = torch.tensor([1.0, -1.0], dtype=torch.float64)[:, None] / math.sqrt(2)
    found = {}
    for name, method in (("stch", bound(STCH(0.01, [0.5, 0.5]), 2)), ("fixed", bound(eq.Fixed([0.5, 0.5]), 2))):
        point = x.detach().clone().requires_grad_()
        for _ in range(1000):
            losses = 1 - torch.exp(-(point - ends).square().sum(dim=1))
            (gradient,) = torch.autograd.grad(method(losses), point)
            point.data -= 0.1 * gradient
        found[name] = point.detach()
    torch.testing.assert_close(found["stch"], torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-2)
    assert found["fixed"].abs().min() > 0.6


@pytest.mark.parametrize("make", [Tchebycheff, STCH, PNorm])
def test_errors(make):
    for weights in ([1.0, 0.0], [1.0, -1.0], [math.nan], [math.inf]):
        with pytest.raises(ValueError, match=r"weights\[\d\] must be in \(0, inf\)"):
            make(weights=weights)
    with pytest.raises(ValueError, match=r"reference\[\d\] must be in \(-inf, inf\), got nan"):
        make(reference=[math.nan])
    with pytest.raises(ValueError, match=r"weights must hold one value for each of 3 tasks, got \[1.0\]"):
        bound(make(weights=[1.0]))
    with pytest.raises(ValueError, match="reference must hold one value for each of 3 tasks"):
        bound(make(reference=[1.0, 2.0]))


def test_errors_of_their_own_arguments():
    for mu in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match=rf"mu must be in \(0, inf\], got {mu}"):
            STCH(mu)
    for p in (0.5, math.inf, math.nan):
        with pytest.raises(ValueError, match=rf"p must be in \[1, inf\), got {p}"):
            PNorm(p)
    with pytest.raises(ValueError, match=r"needs losses that are not negative, got -0\.2.* for task 2"):
        bound(PNorm(reference=[0.0, 0.0, 1.0]))(torch.tensor([1.0, 1.0, 0.25]))
