"""LogSum, GLS, UWO, UWPlus, IMTLL and UW: where they agree, and what each asks of the losses."""

import math

import pytest
import torch
from driving import bound, weights_of

import equipoise as eq
from equipoise.testing import check_method
from equipoise.weighting.gls import GLS
from equipoise.weighting.imtl_l import IMTLL
from equipoise.weighting.log_sum import LogSum
from equipoise.weighting.uw_o import UWO
from equipoise.weighting.uw_plus import UWPlus

LOSSES = [3.0, 0.2, 40.0]
FAMILY = [LogSum, GLS, UWO, IMTLL, UWPlus]


def trained(method, losses, steps=4000, lr=0.1):
    """The method with its parameters at rest for constant losses."""
    optimizer = torch.optim.SGD(method.parameters(), lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        method(torch.tensor(losses, dtype=torch.float64)).backward()
        optimizer.step()
    return method


@pytest.mark.parametrize("make", FAMILY)
def test_laws(make):
    check_method(make)


# A0.1: one direction, sum_k g_k / loss_k


def test_log_sum_weights_are_one_over_the_loss():
    assert weights_of(bound(LogSum()), LOSSES) == pytest.approx([1 / loss for loss in LOSSES])
    assert bound(LogSum())(torch.tensor(LOSSES)).item() == pytest.approx(sum(map(math.log, LOSSES)))


def test_uw_imtl_l_log_sum_uw_o_and_gls_agree_where_they_rest():
    expected = torch.tensor(weights_of(bound(LogSum()), LOSSES))
    geometric_mean = math.prod(LOSSES) ** (1 / 3)
    torch.testing.assert_close(torch.tensor(weights_of(bound(UWO()), LOSSES)), expected)
    torch.testing.assert_close(torch.tensor(weights_of(bound(GLS()), LOSSES)), geometric_mean / 3 * expected)
    at_rest = {
        "uw": trained(bound(eq.UW()), LOSSES, lr=0.5, steps=200),
        "imtl-l": trained(bound(IMTLL()), LOSSES, lr=0.02, steps=1500),
    }
    torch.testing.assert_close(torch.tensor(weights_of(at_rest["imtl-l"], LOSSES)), expected, rtol=1e-5, atol=0)
    torch.testing.assert_close(torch.tensor(weights_of(at_rest["uw"], LOSSES)), expected / 2, rtol=1e-5, atol=0)


@pytest.mark.parametrize("s", [0.0, -1.5, 0.7])
def test_imtl_l_is_twice_uw_at_the_opposite_parameter(s):
    losses = torch.tensor(LOSSES)
    imtl, uw = bound(IMTLL(initial=s)), bound(eq.UW(initial=-s))
    objectives = imtl(losses), uw(losses)
    torch.testing.assert_close(objectives[0], 2 * objectives[1])
    for objective in objectives:
        objective.backward()
    torch.testing.assert_close(imtl.log_scale.grad, -2 * uw.log_variance.grad)


def test_imtl_l_follows_its_formula():
    # sum exp(s) l - s:  d/dl = exp(s),  d/ds = exp(s) l - 1
    method = bound(IMTLL(initial=0.4))
    objective = method(torch.tensor(LOSSES))
    objective.backward()
    assert objective.item() == pytest.approx(math.exp(0.4) * sum(LOSSES) - 3 * 0.4)
    assert method.log_scale.grad.tolist() == pytest.approx([math.exp(0.4) * loss - 1 for loss in LOSSES])
    assert weights_of(method, LOSSES) == pytest.approx([math.exp(0.4)] * 3)


@pytest.mark.parametrize("s", [0.0, -1.5, 0.7])
def test_uw_plus_follows_its_formula(s):
    # l / (2 v) + log(1 + v), v = exp(s):  d/dl = 1 / (2 v),  d/ds = -l / (2 v) + v / (1 + v)
    method, v = bound(UWPlus(initial=s)), math.exp(s)
    objective = method(torch.tensor(LOSSES))
    objective.backward()
    assert objective.item() == pytest.approx(sum(LOSSES) / (2 * v) + 3 * math.log(1 + v))
    assert method.log_variance.grad.tolist() == pytest.approx([-loss / (2 * v) + v / (1 + v) for loss in LOSSES])
    assert weights_of(method, LOSSES) == pytest.approx([1 / (2 * v)] * 3)


def test_uw_plus_at_rest_solves_its_quadratic_and_is_positive():
    # l / (2 v) = v / (1 + v)  <=>  v^2 = l (1 + v) / 2
    losses = [1e4, 1e-6, 2.0]
    method = bound(UWPlus())
    with torch.no_grad():
        roots = [(loss / 2 + math.sqrt(loss**2 / 4 + 2 * loss)) / 2 for loss in losses]
        method.log_variance.copy_(torch.tensor(roots).log())
    objective = method(torch.tensor(losses))
    objective.backward()
    assert method.log_variance.grad.abs().max() < 1e-4
    assert objective.item() > 0
    large, small, _ = weights_of(method, losses)
    assert large * losses[0] == pytest.approx(1, rel=1e-3)
    assert small == pytest.approx(1 / math.sqrt(2 * losses[1]), rel=1e-3)


@pytest.mark.parametrize("make", [LogSum, GLS, UWO])
def test_a_loss_of_any_scale_counts_the_same(make):
    few = torch.tensor(weights_of(bound(make()), LOSSES)) * torch.tensor(LOSSES)
    scaled = [loss * scale for loss, scale in zip(LOSSES, (1e-9, 1.0, 1e9), strict=True)]
    after = torch.tensor(weights_of(bound(make()), scaled)) * torch.tensor(scaled)
    torch.testing.assert_close(after, few)


def test_gls_neither_under_nor_overflows():
    for loss in (1e-30, 1e30):
        losses = torch.full((40,), loss, requires_grad=True)
        objective = bound(GLS(), 40)(losses)
        objective.backward()
        assert objective.item() == pytest.approx(loss, rel=1e-4)
        assert losses.grad.tolist() == pytest.approx([1 / 40] * 40, rel=1e-4)


def test_gls_of_four_and_one():  # 2; the weights are 2 / (2 * 4) and 2 / (2 * 1)
    assert weights_of(bound(GLS(), 2), [4.0, 1.0]) == pytest.approx([0.25, 1.0])


@pytest.mark.parametrize("make", [LogSum, GLS, UWO])
def test_a_users_weight_is_a_preference(make):
    model = torch.nn.Linear(1, 2, bias=False)
    balancer = eq.Balancer(make(), model, tasks={"a": 3.0, "b": 1.0})
    a, b = model(torch.ones(1)).square() + torch.tensor([0.5, 7.0])
    balancer({"a": a, "b": b}).backward()
    gradients = model.weight.grad.flatten() / (2 * model.weight.detach().flatten())  # what loss' counts for
    counts = gradients * torch.stack([a, b]).detach()
    assert (counts[0] / counts[1]).item() == pytest.approx(3, rel=1e-5)


@pytest.mark.parametrize("make", [LogSum, GLS, UWO])
def test_an_absent_task_is_not_in_the_formula(make):
    method = bound(make())
    assert weights_of(method, [3.0, 40.0], [0, 2]) == pytest.approx(weights_of(bound(make(), 2), [3.0, 40.0]))


@pytest.mark.parametrize("make", [LogSum, GLS, UWO])
@pytest.mark.parametrize("loss", [0.0, -0.5])
def test_a_loss_that_is_not_positive_is_an_error_that_names_the_task(make, loss):
    with pytest.raises(ValueError, match=rf"{make.__name__}\(\) needs positive losses, got {loss:g} for task 2"):
        bound(make())(torch.tensor([1.0, loss]), torch.tensor([0, 2]))


def test_a_loss_that_is_not_finite_is_left_to_the_engine():
    assert not bound(LogSum())(torch.tensor([1.0, math.nan, 2.0])).isfinite()
