import math

import pytest
import torch
from driving import bound, weights_of

import equipoise as eq
from equipoise.testing import check_method
from equipoise.weighting.slaw import SLAW


def deviations(history, beta):
    """sqrt(E[l^2] - E[l]^2) under running means that start at the first loss, in plain float64."""
    mean, square = list(history[0]), [loss**2 for loss in history[0]]
    for losses in history[1:]:
        mean = [beta * m + (1 - beta) * loss for m, loss in zip(mean, losses, strict=True)]
        square = [beta * s + (1 - beta) * loss**2 for s, loss in zip(square, losses, strict=True)]
    return [math.sqrt(s - m**2) for s, m in zip(square, mean, strict=True)]


def expected(history, beta):
    inverse = [1 / d for d in deviations(history, beta)]
    return pytest.approx([len(inverse) * i / sum(inverse) for i in inverse], rel=1e-4)


@pytest.mark.parametrize("beta", [0.5, 0.99])
def test_laws(beta):
    check_method(lambda: SLAW(beta))


@pytest.mark.parametrize("beta", [0.5, 0.99])
@pytest.mark.parametrize("scale", [1.0, 1e-20, 1e15])
def test_weights_are_inverse_deviations_of_sum_k(beta, scale):
    generator = torch.Generator().manual_seed(0)
    history = (torch.rand(30, 3, generator=generator, dtype=torch.float64) * torch.tensor([1.0, 5.0, 0.1]) + 1).tolist()
    method = bound(SLAW(beta))
    assert weights_of(method, [loss * scale for loss in history[0]]) == [1.0, 1.0, 1.0]
    for step in range(1, 30):
        weights = weights_of(method, [loss * scale for loss in history[step]])
        assert weights == expected(history[: step + 1], beta)
        assert sum(weights) == pytest.approx(3)
        deviation = [d * scale for d in deviations(history[: step + 1], beta)]
        assert method.deviation.tolist() == pytest.approx(deviation, rel=1e-4)


def test_a_loss_that_never_varied_has_weight_one_and_the_others_share_the_rest():
    method = bound(SLAW())
    weights_of(method, [1.0, 2.0, 5.0])
    first, second, third = weights_of(method, [3.0, 3.0, 5.0])
    assert third == 1
    assert first + second == pytest.approx(2)
    assert second / first == pytest.approx(2)


def test_absent_tasks_and_losses_that_are_not_finite_leave_the_deviation():
    method = bound(SLAW(0.5), 2)
    weights_of(method, [torch.nan, 1.0])
    weights_of(method, [1.0, 2.0])
    before = method.deviation.clone(), method.mean.clone()
    weights_of(method, [torch.inf], [1])
    torch.testing.assert_close((method.deviation, method.mean), before)


def test_a_users_weight_scales_the_result():
    for weight in (1.0, 4.0):
        scale = torch.nn.Parameter(torch.ones(2))
        balancer = eq.Balancer(SLAW(), [scale], tasks={"a": weight, "b": 1.0})
        for losses in ([1.0, 2.0], [2.0, 5.0]):
            a, b = scale * torch.tensor(losses)
            balancer({"a": a, "b": b}).backward()
        assert balancer.record.weights == pytest.approx({"a": 1.5 * weight, "b": 0.5})


@pytest.mark.parametrize("beta", [0.0, 1.0, float("nan")])
def test_errors(beta):
    with pytest.raises(ValueError, match=rf"beta must be in \(0, 1\), got {beta}"):
        SLAW(beta)
