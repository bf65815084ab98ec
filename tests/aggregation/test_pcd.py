import itertools

import pytest
import torch

from equipoise.aggregation.pcd import PCD
from equipoise.testing import check_method

F64 = torch.float64
WHY = "the primary task is known by its place"


def bound(method, num_tasks):
    method.bind(num_tasks)
    return method


def direction_of(method, rows):
    return method(rows @ rows.T, torch.ones(len(rows), dtype=F64)) @ rows


def nearest(units, primary, tau):
    """Of all sets of tight constraints the one that is optimal: the paper's appendix B.2, on rows."""
    others = [k for k in range(len(units)) if k != primary]
    for size in range(len(others) + 1):
        for chosen in itertools.combinations(others, size):
            tight = units[list(chosen)]
            due = tau * tight.square().sum(dim=1) - tight @ units[primary]
            multipliers = torch.linalg.solve(tight @ tight.T, due) if size else due
            point = units[primary] + multipliers @ tight
            if (multipliers >= 0).all() and (
                units[others] @ point >= tau * units[others].square().sum(dim=1) - 1e-12
            ).all():
                return point
    return units[primary]


def test_it_keeps_every_law_but_one():
    check_method(PCD, except_for={"ignores_task_order": WHY})
    check_method(lambda: PCD(primary=2, tau=0.3, beta=0.5), except_for={"ignores_task_order": WHY})


@pytest.mark.parametrize("tau", [0.0, 0.02, 0.5, 1.0])
@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_the_direction_is_the_nearest_to_the_primary_that_gives_each_its_share(k, tau):
    generator = torch.Generator().manual_seed(k)
    for _ in range(20):
        primary = int(torch.randint(k, (), generator=generator))
        rows = torch.randn(k, 8, generator=generator, dtype=F64) * torch.rand(k, 1, generator=generator, dtype=F64)
        units = rows / rows.norm(dim=1, keepdim=True)  # in the first step the running norm is the norm
        point = nearest(units, primary, tau)
        expected = point * rows[primary].norm() / point.norm()
        method = bound(PCD(primary, tau=tau), k)
        torch.testing.assert_close(direction_of(method, rows), expected)
        assert method.unsolved == 0


def test_two_rows_by_hand():
    # u = (1, 0), h = (-3, 4) / 5: u conflicts with -0.6 and owes 0.1: u + 0.7 h = (0.58, 0.56), in the length of 2 u
    rows = torch.tensor([[2.0, 0.0], [-0.3, 0.4]], dtype=F64)
    point = torch.tensor([0.58, 0.56], dtype=F64)
    torch.testing.assert_close(direction_of(bound(PCD(tau=0.1), 2), rows), 2 * point / point.norm())


def test_a_primary_that_gives_each_its_share_is_followed():
    rows = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 5.0]], dtype=F64)
    weights = bound(PCD(tau=0.5), 3)(rows @ rows.T, torch.ones(3, dtype=F64))
    torch.testing.assert_close(weights, torch.tensor([1.0, 0.0, 0.0], dtype=F64))


def test_norms_are_running_means_with_bias_correction():
    # v after |h|^2 = 1 and 9 with beta 3/4: (3/16 + 9/4) / (7/16) = 39/7; |u|^2 = 4 gives u / 2 from the first step on
    method = bound(PCD(tau=0.5, beta=0.75), 2)
    primary = torch.tensor([[2.0, 0.0]], dtype=F64)
    for _ in range(3):  # the other task is absent: its own steps count
        method(primary @ primary.T, torch.ones(1, dtype=F64), torch.tensor([0]))
    for length in (1.0, 3.0):
        rows = torch.cat([primary, torch.tensor([[0.0, length]], dtype=F64)])
        direction = direction_of(method, rows)
    point = torch.tensor([1.0, 0.5 * 3 / (39 / 7) ** 0.5], dtype=F64)
    torch.testing.assert_close(direction, 2 * point / point.norm())


def test_a_constant_factor_of_another_task_changes_nothing():
    generator = torch.Generator().manual_seed(0)
    plain, scaled = bound(PCD(tau=0.3, beta=0.9), 3), bound(PCD(tau=0.3, beta=0.9), 3)
    for _ in range(4):
        rows = torch.randn(3, 5, generator=generator, dtype=F64)
        factors = torch.tensor([1.0, 1e-7, 1e6], dtype=F64)[:, None]
        torch.testing.assert_close(direction_of(scaled, factors * rows), direction_of(plain, rows))


def test_constraints_that_exclude_each_other_are_dropped_and_counted():
    rows = torch.tensor([[1.0, 2.0], [3.0, 0.0], [-1.0, 0.0]], dtype=F64)
    method = bound(PCD(tau=0.1), 3)
    assert method(rows @ rows.T, torch.ones(3, dtype=F64)).tolist() == pytest.approx([1.0, 0.0, 0.0])
    assert method.unsolved == 1
    free = bound(PCD(tau=0.0), 3)  # at tau = 0 they only exclude the axis
    torch.testing.assert_close(direction_of(free, rows), torch.tensor([0.0, 5**0.5], dtype=F64))
    assert free.unsolved == 0


def test_there_is_no_direction_without_the_primary():
    rows = torch.tensor([[0.0, 0.0], [3.0, 1.0]], dtype=F64)
    assert direction_of(bound(PCD(), 2), rows).tolist() == [0.0, 0.0]
    method = bound(PCD(), 3)
    assert method(torch.eye(2, dtype=F64), torch.ones(2, dtype=F64), torch.tensor([1, 2])).tolist() == [0.0, 0.0]
    # opposite to the only other one, at tau = 0: nothing of the primary is left
    rows = torch.tensor([[1.0, 2.0], [-2.0, -4.0]], dtype=F64)
    assert direction_of(bound(PCD(tau=0.0), 2), rows).norm() < 1e-12


def test_a_task_without_a_gradient_constrains_nothing():
    rows = torch.tensor([[1.0, 2.0], [0.0, 0.0]], dtype=F64)
    torch.testing.assert_close(direction_of(bound(PCD(tau=1.0), 2), rows), rows[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"primary": -1}, r"primary must be a whole number, 0 or more, got -1"),
        ({"tau": 1.5}, r"tau must be in \[0, 1\], got 1.5"),
        ({"beta": 1.0}, r"beta must be in \[0, 1\), got 1.0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        PCD(**arguments)


def test_a_primary_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"primary must be the index of one of 3 tasks, from 0 to 2, got 3"):
        PCD(3).bind(3)
