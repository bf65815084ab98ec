import pytest
import torch

from equipoise.aggregation.dualproj import DualProj
from equipoise.aggregation.fairgrad import FairGrad
from equipoise.aggregation.mgda import MGDA
from equipoise.aggregation.nash_mtl import NashMTL
from equipoise.testing import check_method
from equipoise.testing.run import BATCHES, bound, run

F64 = torch.float64
ROWS = torch.randn(4, 9, generator=torch.Generator().manual_seed(0), dtype=F64)
LOSSES = torch.ones(4, dtype=F64)
WHY = "the gradient of all losses times s is s^((1 - alpha) / (1 + alpha)) times as long"


def weights_of(method, rows):
    return method(rows @ rows.T, LOSSES[: len(rows)])


def test_it_keeps_every_law_but_one():
    check_method(FairGrad, except_for={"is_homogeneous": WHY})
    check_method(lambda: FairGrad(alpha=1.0))


@pytest.mark.parametrize("alpha", [0.5, 2.0, 4.0])
@pytest.mark.parametrize("scale", [2.0**-66, 2.0**50])
def test_scaling_all_losses_scales_the_gradient_by_its_power(alpha, scale):
    plain = run(bound(FairGrad(alpha)))
    scaled = run(bound(FairGrad(alpha)), [shown.scaled(scale) for shown in BATCHES])
    for after, before in zip(scaled, plain, strict=True):
        torch.testing.assert_close(after, before * scale ** ((1 - alpha) / (1 + alpha)), rtol=1e-7, atol=0)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, 5.0])
def test_the_papers_equation_holds(alpha):
    weights = weights_of(FairGrad(alpha), ROWS)
    torch.testing.assert_close(ROWS @ (weights @ ROWS), weights ** (-1 / alpha))


@pytest.mark.parametrize("alpha", [0.5, 2.0, 3.0])
def test_no_direction_of_the_same_length_is_fairer(alpha):
    # d maximises sum_k (g_k . d)^(1 - alpha) / (1 - alpha) among the directions of its length
    generator = torch.Generator().manual_seed(1)
    direction = weights_of(FairGrad(alpha), ROWS) @ ROWS
    others = direction + 0.05 * direction.norm() * torch.randn(2000, 9, generator=generator, dtype=F64)
    others = others * direction.norm() / others.norm(dim=1, keepdim=True)
    gains = others @ ROWS.T
    gains = gains[(gains > 0).all(dim=1)]
    assert len(gains) > 100
    utility = (gains ** (1 - alpha)).sum(dim=1) / (1 - alpha)
    assert ((ROWS @ direction) ** (1 - alpha)).sum() / (1 - alpha) > utility.max()


def test_its_ends_are_the_projected_sum_nash_and_the_point_of_least_norm():
    # at alpha = 0 the sum of the gains is all that counts, as long as nobody loses
    small, mean = weights_of(FairGrad(1e-3), ROWS) @ ROWS, ROWS.mean(dim=0)
    assert (ROWS @ mean).min() < 0
    assert torch.cosine_similarity(small, weights_of(DualProj(), ROWS) @ ROWS, dim=0) > 1 - 1e-4
    agreed = ROWS.abs()
    assert torch.cosine_similarity(weights_of(FairGrad(1e-3), agreed) @ agreed, agreed.sum(dim=0), dim=0) > 1 - 1e-4
    nash = NashMTL()
    nash.bind(4)
    torch.testing.assert_close(weights_of(FairGrad(1.0), ROWS), weights_of(nash, ROWS))
    least = weights_of(MGDA(), ROWS)
    assert least.min() > 0
    large = weights_of(FairGrad(1e3), ROWS) @ ROWS
    assert torch.cosine_similarity(large, least @ ROWS, dim=0) > 1 - 1e-4


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, 5.0])
def test_a_users_weight_is_the_preference_and_no_scale(alpha):
    """Rows come in scaled by the weights: with w for those, v = p w for the raw ones solves G v = (p / v)^(1/alpha)."""
    method, power = FairGrad(alpha), torch.tensor([1.0, 0.5, 2.0, 1.0], dtype=F64)
    method.prefer(power)
    for tasks in (torch.arange(4), torch.tensor([1, 2])):
        rows, p = ROWS[tasks], power[tasks]
        scaled = p[:, None] * rows
        raw = p * method(scaled @ scaled.T, LOSSES[: len(tasks)], tasks)
        torch.testing.assert_close(rows @ (raw @ rows), (p / raw) ** (1 / alpha))


def test_unsolvable_steps_are_counted():
    method = FairGrad()
    rows = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, -3.0]], dtype=F64)
    for count in (1, 2):
        assert (weights_of(method, rows) @ rows).norm() < 1e-7
        assert method.unsolved == count
    weights_of(method, ROWS)
    assert method.unsolved == 2
    weights = weights_of(method, torch.tensor([[4.0, 0.0], [0.0, 0.0]], dtype=F64))
    assert method.unsolved == 3
    torch.testing.assert_close(weights, torch.tensor([16 ** (-2 / 3), 1.0], dtype=F64))


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("inf")])
def test_a_bad_alpha_is_refused(alpha):
    with pytest.raises(ValueError, match=f"alpha must be positive and finite, got {alpha}"):
        FairGrad(alpha)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, 5.0])
def test_a_preferred_task_gains_more_whatever_alpha(alpha):
    """The heavier task's rows come in scaled by its weight, and that weight is its preference, once."""
    power = torch.tensor([10.0, 1.0], dtype=F64)
    plain, preferring = FairGrad(alpha), FairGrad(alpha)
    preferring.prefer(power)
    scaled = power[:, None] * ROWS[:2]
    before = weights_of(plain, ROWS[:2]) @ ROWS[:2]
    after = weights_of(preferring, scaled) @ scaled
    gains = [torch.cosine_similarity(ROWS[0], d, dim=0) for d in (before, after)]
    assert gains[1] > gains[0] + 0.01
