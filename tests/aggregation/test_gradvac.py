import itertools
from collections import Counter
from math import sqrt

import pytest
import torch

from equipoise.aggregation.gradvac import GradVac
from equipoise.aggregation.pcgrad import PCGrad
from equipoise.testing import check_method

F64 = torch.float64
IN_RANDOM_ORDER = {"ignores_task_order": "it meets the tasks in random order, so only its distribution ignores theirs"}


def bound(method, num_tasks):
    method.bind(num_tasks)
    return method


def direction_of(method, rows, tasks=None):
    return method(rows @ rows.T, torch.ones(len(rows), dtype=F64), tasks) @ rows


def vaccinate(rows, i, order, targets, beta):
    """Algorithm 1 for one task on the gradients themselves; the new targets of its pairs."""
    gradient, new = rows[i].clone(), targets[i].clone()
    for j in order:
        cosine = float(gradient @ rows[j] / gradient.norm() / rows[j].norm())
        aim = float(targets[i, j])
        if cosine < aim:
            gain = aim * sqrt(1 - cosine**2) - cosine * sqrt(1 - aim**2)
            gradient += gradient.norm() * gain / (rows[j].norm() * sqrt(1 - aim**2)) * rows[j]
            assert gradient @ rows[j] / gradient.norm() / rows[j].norm() == pytest.approx(aim, abs=1e-9)
        new[j] = (1 - beta) * aim + beta * cosine
    return gradient, new


def outcomes(rows, targets, beta):
    """(direction, targets) for every choice of orders."""
    k = len(rows)
    each = [
        [vaccinate(rows, i, order, targets, beta) for order in itertools.permutations(set(range(k)) - {i})]
        for i in range(k)
    ]
    return [
        (torch.stack([g for g, _ in chosen]).sum(dim=0), torch.stack([t for _, t in chosen]))
        for chosen in itertools.product(*each)
    ]


@pytest.mark.parametrize("make", [GradVac, lambda: GradVac(beta=0.5, seed=3), lambda: GradVac(beta=1.0)])
def test_the_laws_hold(make):
    check_method(make, except_for=IN_RANDOM_ORDER)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_direction_and_targets_are_those_of_algorithm_1_for_some_order(k):
    generator = torch.Generator().manual_seed(k)
    method, targets = bound(GradVac(beta=0.3, seed=1), k), torch.zeros(k, k, dtype=F64)
    for _ in range(40):
        rows = (torch.randn(k, 4, generator=generator, dtype=F64) + 0.5) * torch.rand(
            k, 1, generator=generator
        ).double()
        expected = outcomes(rows, targets, 0.3)
        direction = direction_of(method, rows)
        distances = [float((d - direction).norm() + (t - method.target).norm()) for d, t in expected]
        assert min(distances) < 1e-9
        targets = method.target.clone()


def test_every_order_is_as_likely_as_any_other():
    rows = torch.tensor([[1.0, 0.1, 0.2], [-0.7, 1.0, 0.1], [-0.6, -0.9, 0.5]], dtype=F64)
    expected = torch.stack([d for d, _ in outcomes(rows, torch.zeros(3, 3, dtype=F64), 0.0)])
    method = bound(GradVac(beta=0.0), 3)
    seen = Counter(int((expected - direction_of(method, rows)).norm(dim=1).argmin()) for _ in range(800))
    assert min(seen[i] for i in range(8)) > 60  # 100 +- 9.4 each


def test_with_targets_at_zero_it_is_pcgrad():
    generator = torch.Generator().manual_seed(0)
    method, pcgrad = bound(GradVac(beta=0.0, seed=5), 6), PCGrad(seed=5)
    for _ in range(10):
        rows = torch.randn(6, 4, generator=generator, dtype=F64)
        torch.testing.assert_close(direction_of(method, rows), direction_of(pcgrad, rows))


def test_two_aligned_rows_by_hand():
    # cosine 0.6 and target 0.8: g_1 gains (0.8 · 0.8 - 0.6 · 0.6) / 0.6 = 7/15 of |g_1| / |g_2| g_2, and g_2 alike
    rows = torch.tensor([[5.0, 0.0], [0.6, 0.8]], dtype=F64)
    method = bound(GradVac(beta=0.5), 2)
    method.target.fill_(0.8)
    weights = method(rows @ rows.T, torch.ones(2, dtype=F64))
    torch.testing.assert_close(weights, torch.tensor([1 + 7 / 75, 1 + 7 / 3], dtype=F64))
    torch.testing.assert_close(method.target[[0, 1], [1, 0]], torch.tensor([0.7, 0.7], dtype=F64))
    assert method.target.diagonal().tolist() == [0.8, 0.8]


def test_a_task_that_is_more_alike_than_before_is_left_as_it_is():
    rows = torch.rand(5, 8, generator=torch.Generator().manual_seed(0), dtype=F64)
    method = bound(GradVac(), 5)
    assert method(rows @ rows.T, torch.ones(5, dtype=F64)).tolist() == [1.0] * 5
    assert (method.target[~torch.eye(5, dtype=torch.bool)] > 0).all()


def test_a_zero_row_changes_nothing_and_teaches_nothing():
    rows = torch.tensor([[1.0, 0.0], [0.0, 0.0], [-2.0, 2.0]], dtype=F64)
    method = bound(GradVac(), 3)
    torch.testing.assert_close(
        method(rows @ rows.T, torch.ones(3, dtype=F64)), torch.tensor([3.0, 1.0, 1.25], dtype=F64)
    )
    method.target.fill_(0.5)
    weights = method(rows @ rows.T, torch.ones(3, dtype=F64))
    assert weights[1] == 1
    assert (method.target[1] == 0.5).all()
    assert (method.target[:, 1] == 0.5).all()


def test_opposite_rows_cancel_and_parallel_rows_with_a_target_of_one_stay():
    rows = torch.tensor([[1.0, 2.0], [-3.0, -6.0]], dtype=F64)
    method = bound(GradVac(beta=1.0), 2)
    assert direction_of(method, rows).norm() < 1e-12
    method.target.fill_(1.0)
    assert direction_of(method, rows).isfinite().all()


def test_present_tasks_read_and_write_their_own_targets():
    rows = torch.randn(4, 6, generator=torch.Generator().manual_seed(1), dtype=F64)
    method, few = bound(GradVac(beta=0.5), 4), bound(GradVac(beta=0.5), 2)
    present = torch.tensor([1, 3])
    method.target.copy_(torch.arange(16).view(4, 4) / 20)
    few.target.copy_(method.target[present][:, present])
    before = method.target.clone()
    torch.testing.assert_close(direction_of(method, rows[present], present), direction_of(few, rows[present]))
    torch.testing.assert_close(method.target[present][:, present], few.target)
    changed = (method.target != before).nonzero().tolist()
    assert changed == [[1, 3], [3, 1]]


@pytest.mark.parametrize("scale", [1e-20, 1e-12, 1e12, 1e15])
def test_a_common_scale_changes_nothing(scale):
    rows = torch.randn(6, 4, generator=torch.Generator().manual_seed(1), dtype=F64)
    plain, scaled = bound(GradVac(0.5), 6), bound(GradVac(0.5), 6)
    for _ in range(4):
        expected = direction_of(plain, rows)
        torch.testing.assert_close(direction_of(scaled, scale * rows) / scale, expected, rtol=1e-7, atol=1e-9)


def test_bad_arguments_are_refused():
    for beta in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"beta must be in \[0, 1\], got"):
            GradVac(beta)
    with pytest.raises(ValueError, match=r"seed must be a whole number, 0 or more, got -1"):
        GradVac(seed=-1)


def test_a_target_of_parallel_gradients_asks_for_no_explosion():
    method = GradVac(beta=0.5)
    method.bind(2)
    parallel = torch.ones(2, 2, dtype=torch.float64)
    for _ in range(300):
        method(parallel, torch.ones(2, dtype=torch.float64))
    apart = torch.tensor([[1.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    assert method(apart, torch.ones(2, dtype=torch.float64)).abs().max() < 1e4
