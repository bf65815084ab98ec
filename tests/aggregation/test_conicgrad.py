import numpy as np
import pytest
import torch

from equipoise.aggregation.conicgrad import ConicGrad
from equipoise.aggregation.mgda import MGDA
from equipoise.testing import check_method

F64 = torch.float64


def direction_of(method, rows):
    return method(rows @ rows.T, torch.ones(len(rows), dtype=F64)) @ rows


def bound_of(rows, c, share):
    """The most that a d of the cone, |d| = |g_0|, gives to g_w: identity of the best unit vector of a spherical cap."""
    mean, point = rows.mean(dim=0), share @ rows
    along = point @ mean / mean.norm()
    across = (point - along * mean / mean.norm()).norm()
    inside = along >= c * point.norm()
    return mean.norm() * (point.norm() if inside else c * along + (1 - c * c) ** 0.5 * across)


def test_it_keeps_every_law():
    check_method(ConicGrad)
    check_method(lambda: ConicGrad(c=0.2))


@pytest.mark.parametrize("c", [0.0, 0.3, 0.75, 0.95])
def test_two_rows_agree_with_a_search_around_the_circle(c):
    angles = torch.linspace(0, 2 * np.pi, 200_001, dtype=F64)
    circle = torch.stack([angles.cos(), angles.sin()])
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        rows = torch.randn(2, 2, generator=generator, dtype=F64) * torch.rand(2, 1, generator=generator, dtype=F64)
        mean = rows.mean(dim=0)
        inside = circle[:, mean @ circle >= c * mean.norm()]
        best = mean.norm() * (rows @ inside).amin(dim=0).max()
        direction = direction_of(ConicGrad(c), rows)
        torch.testing.assert_close((rows @ direction).min(), best, atol=1e-4 * rows.square().sum().item(), rtol=0)
        assert (rows @ direction).min() >= best - 1e-9


@pytest.mark.parametrize("c", [0.3, 0.75, 0.95])
@pytest.mark.parametrize("k", [3, 6, 20])
def test_no_direction_of_the_cone_serves_the_worst_served_task_better(c, k):
    generator = torch.Generator().manual_seed(k)
    on_the_cone = 0
    for _ in range(20):
        rows = (
            torch.randn(k, 25, generator=generator, dtype=F64) * torch.rand(k, 1, generator=generator, dtype=F64) ** 3
        )
        mean = rows.mean(dim=0)
        direction = direction_of(ConicGrad(c), rows)
        cosine = torch.cosine_similarity(direction, mean, dim=0)
        torch.testing.assert_close(direction.norm(), mean.norm())
        assert cosine >= c - 1e-12
        # weak duality: the bound for any w of the simplex; w from the weights, less what they owe to g_0
        weights = ConicGrad(c)(rows @ rows.T, torch.ones(k, dtype=F64))
        share = weights - weights.min() if cosine < c + 1e-9 else weights
        on_the_cone += bool(cosine < c + 1e-9)
        best = bound_of(rows, c, share / share.sum())
        torch.testing.assert_close((rows @ direction).min(), best, atol=1e-9, rtol=1e-9)
    assert on_the_cone > 0


def test_two_rows_by_hand():
    # g_0 = (0, 1), MGDA's direction too: in the cone
    rows = torch.tensor([[1.0, 1.0], [-1.0, 1.0]], dtype=F64)
    torch.testing.assert_close(direction_of(ConicGrad(0.75), rows), torch.tensor([0.0, 1.0], dtype=F64))
    # g_0 = (2, 1/2), MGDA's (1/17) (4, 16) is outside of a cone of 60 degrees: d is g_0 turned by them towards it
    rows = torch.tensor([[4.0, 0.0], [0.0, 1.0]], dtype=F64)
    turned = torch.tensor([2 * 0.8 - 0.5 * 0.6, 0.5 * 0.8 + 2 * 0.6], dtype=F64)
    torch.testing.assert_close(direction_of(ConicGrad(0.8), rows), turned)


def test_a_cone_that_holds_mgdas_direction_gives_it_in_the_means_length():
    generator = torch.Generator().manual_seed(3)
    rows = torch.randn(5, 30, generator=generator, dtype=F64)
    least = direction_of(MGDA(), rows)
    expected = least * rows.mean(dim=0).norm() / least.norm()
    torch.testing.assert_close(direction_of(ConicGrad(0.1), rows), expected)
    torch.testing.assert_close(direction_of(ConicGrad(1.0), rows), rows.mean(dim=0))


def test_without_a_mean_there_is_no_cone():
    rows = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-1.0, -2.0]], dtype=F64)
    method = ConicGrad()
    assert method(rows @ rows.T, torch.ones(3, dtype=F64)).tolist() == [1 / 3] * 3
    assert method.unsolved == 1


@pytest.mark.parametrize("scale", [1e-20, 1e-12, 1e12, 1e15])
def test_a_common_scale_changes_no_weight(scale):
    rows = torch.randn(6, 10, generator=torch.Generator().manual_seed(2), dtype=F64)
    losses = torch.ones(6, dtype=F64)
    plain = ConicGrad()(rows @ rows.T, losses)
    torch.testing.assert_close(ConicGrad()(scale**2 * rows @ rows.T, losses), plain, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("c", [-0.1, 1.1])
def test_a_cosine_outside_of_its_range_is_refused(c):
    with pytest.raises(ValueError, match=rf"c must be in \[0, 1\], got {c}"):
        ConicGrad(c)


@pytest.mark.parametrize("c", [0.1, 0.3, 0.75, 0.99])
def test_one_row_that_is_served_worst_all_over_the_cone_is_a_closed_form(c):
    # max g_w . d over |d| = 1, cos(d, g_0) >= c: g_w / |g_w| in the cone, else c g_0 + sqrt(1 - c^2) of g_w across g_0
    generator = torch.Generator().manual_seed(5)
    inside = 0
    for _ in range(50):
        mean, worst = torch.randn(2, 4, generator=generator, dtype=F64)
        mean, worst = mean / mean.norm(), 1e-3 * worst / worst.norm()
        rows = torch.stack([worst, 2 * mean - worst])  # the other's gain is at least 2 c, or the first would lose
        axis = mean / mean.norm()
        across = worst - (worst @ axis) * axis
        expected = c * axis + (1 - c**2) ** 0.5 * across / across.norm()
        if worst @ axis >= c * worst.norm():
            inside += 1
            expected = worst / worst.norm()
        if (rows[1] @ expected) < worst @ expected:
            continue  # then it is not the worst
        weights = ConicGrad(c)(rows @ rows.T, torch.ones(2, dtype=F64))
        torch.testing.assert_close(weights @ rows, mean.norm() * expected, rtol=1e-6, atol=1e-6)
    assert inside > 0 or c == 0.99  # a narrow cone
