import pytest
import torch

from equipoise.aggregation.cagrad import CAGrad
from equipoise.aggregation.dualproj import DualProj
from equipoise.aggregation.mgda import MGDA
from equipoise.testing import check_method

F64 = torch.float64


def direction_of(method, rows):
    return method(rows @ rows.T, torch.ones(len(rows), dtype=F64)) @ rows


def test_it_keeps_every_law():
    check_method(CAGrad)
    check_method(lambda: CAGrad(c=1.5))


@pytest.mark.parametrize("c", [0.2, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("k", [2, 3, 7, 30])
def test_no_direction_in_the_ball_serves_the_worst_served_task_better(c, k):
    # duality: for every w of the simplex, g_w . g_0 + c |g_0| |g_w| bounds min_k g_k . d, and some w attains it
    generator = torch.Generator().manual_seed(k)
    for _ in range(10):
        rows = torch.randn(k, 12, generator=generator, dtype=F64) * torch.rand(k, 1, generator=generator, dtype=F64)
        mean = rows.mean(dim=0)
        radius = c * mean.norm()
        direction = direction_of(CAGrad(c), rows)
        served = (rows @ direction).min()
        push = (direction - mean) / radius
        assert push.norm() <= 1 + 1e-9
        if push.norm() > 1 - 1e-9:
            # push is g_w / |g_w|: the g_w along it whose bound is attained has |g_w| = push . g_w for w of the simplex
            weights = CAGrad(c)(rows @ rows.T, torch.ones(k, dtype=F64)) - 1 / k
            share = (weights / weights.sum()).clamp(min=0)
            point = share @ rows
            assert point @ mean + radius * point.norm() - served <= 1e-9 * rows.square().sum()
        else:
            assert served.abs() <= 1e-9 * rows.square().sum()


def test_two_rows_by_hand():
    # g = (1, 1), h = (-1, 1): g_0 = (0, 1) serves both with 1, w = (1/2, 1/2), d = (0, 1 + c)
    rows = torch.tensor([[1.0, 1.0], [-1.0, 1.0]], dtype=F64)
    torch.testing.assert_close(direction_of(CAGrad(0.5), rows), torch.tensor([0.0, 1.5], dtype=F64))
    # g = (2, 0), h = (0, 0.02): h is served worst, F falls all the way to it: d = (1, 0.01) + c |g_0| (0, 1)
    rows = torch.tensor([[2.0, 0.0], [0.0, 0.02]], dtype=F64)
    expected = torch.tensor([1.0, 0.01 + 0.5 * 1.0001**0.5], dtype=F64)
    torch.testing.assert_close(direction_of(CAGrad(0.5), rows), expected)


def test_without_a_radius_it_is_the_mean_and_with_a_large_one_mgdas_direction():
    rows = torch.randn(4, 9, generator=torch.Generator().manual_seed(0), dtype=F64)
    torch.testing.assert_close(direction_of(CAGrad(0.0), rows), rows.mean(dim=0))
    far, least = direction_of(CAGrad(1e8), rows), direction_of(MGDA(), rows)
    assert torch.cosine_similarity(far, least, dim=0) > 1 - 1e-12


def test_with_c_of_one_or_more_it_conflicts_with_no_task():
    generator = torch.Generator().manual_seed(1)
    for k in (2, 3, 8):
        for _ in range(50):
            rows = torch.randn(k, 3, generator=generator, dtype=F64)
            assert (rows @ direction_of(CAGrad(1.0), rows)).min() >= -1e-9


def test_where_nothing_can_be_won_it_is_the_nearest_direction_that_costs_no_one():
    # zero lies in the hull: the paper's g_w / |g_w| is 0 / 0, the problem it solves is not
    rows = torch.tensor([[1.0, 0.0, 0.0], [-3.0, 0.0, 0.0], [0.0, 1.0, 0.0]], dtype=F64)
    method = CAGrad(2.0)
    torch.testing.assert_close(direction_of(method, rows), direction_of(DualProj(), rows), atol=1e-9, rtol=0)
    assert direction_of(method, rows)[1] == pytest.approx(1 / 3)
    assert method.unsolved == 0


def test_where_the_gradients_cancel_there_is_no_direction():
    rows = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-1.0, -2.0]], dtype=F64)
    method = CAGrad()
    assert direction_of(method, rows).norm() < 1e-12
    assert method.unsolved == 0


@pytest.mark.parametrize("scale", [1e-20, 1e-12, 1e12, 1e15])
def test_a_common_scale_changes_no_weight(scale):
    rows = torch.randn(6, 10, generator=torch.Generator().manual_seed(2), dtype=F64)
    losses = torch.ones(6, dtype=F64)
    plain = CAGrad()(rows @ rows.T, losses)
    torch.testing.assert_close(CAGrad()(scale**2 * rows @ rows.T, losses), plain, rtol=1e-9, atol=1e-12)


def test_one_task_is_followed_further():
    weights = CAGrad(0.5)(torch.tensor([[25.0]], dtype=F64), torch.ones(1, dtype=F64))
    assert weights.tolist() == [1.5]


@pytest.mark.parametrize("c", [-0.1, float("inf"), float("nan")])
def test_a_bad_radius_is_refused(c):
    with pytest.raises(ValueError, match=rf"c must be in \[0, inf\), got {c}"):
        CAGrad(c)
