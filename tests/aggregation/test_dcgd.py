import numpy as np
import pytest
import torch

from equipoise.aggregation.dcgd import DCGD
from equipoise.testing import check_method

F64 = torch.float64
BY_PLACE = {"ignores_task_order": "its groups are the first tasks and the rest"}


def rows_of(k, columns, rng, spread=0.0):
    return torch.from_numpy(rng.standard_normal((k, columns)) * np.exp(rng.uniform(-spread, spread, (k, 1))))


def weights_of(rows, method=None, tasks=None):
    return (method or DCGD())(rows @ rows.T, torch.ones(len(rows), dtype=F64), tasks)


def equation(first, second):
    """Eq. (4.3): <c, g> / |c|^2 c with c = a / |a| + b / |b| and g = a + b."""
    bisector = first / first.norm() + second / second.norm()
    return bisector @ (first + second) / (bisector @ bisector) * bisector


@pytest.mark.parametrize("split", [1, 2, 4])
def test_the_laws_hold(split):
    check_method(lambda: DCGD(split), except_for=BY_PLACE)


def test_tasks_may_exchange_their_roles_within_a_group():
    rows = rows_of(5, 9, np.random.default_rng(0))
    expected = weights_of(rows, DCGD(2)) @ rows
    order = [1, 0, 4, 2, 3]
    torch.testing.assert_close(weights_of(rows[order], DCGD(2)) @ rows[order], expected)


def test_it_is_the_papers_equation():
    rng = np.random.default_rng(1)
    for _ in range(50):
        rows = rows_of(2, 4, rng, 5.0)
        torch.testing.assert_close(weights_of(rows) @ rows, equation(*rows), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("split", [1, 2, 4])
def test_more_tasks_are_two_sums(split):
    rng = np.random.default_rng(2)
    for _ in range(20):
        rows = rows_of(5, 9, rng, 3.0)
        expected = equation(rows[:split].sum(dim=0), rows[split:].sum(dim=0))
        direction = weights_of(rows, DCGD(split)) @ rows
        torch.testing.assert_close(direction, expected, rtol=1e-7, atol=1e-7 * float(expected.norm()))
        assert direction @ rows[:split].sum(dim=0) > 0
        assert direction @ rows[split:].sum(dim=0) > 0


def test_two_rows_by_hand():
    # lengths 2 and 4, orthogonal: (2 + 4) / 2 (1, 1)
    rows = torch.tensor([[2.0, 0.0], [0.0, 4.0]], dtype=F64)
    assert (weights_of(rows) @ rows).tolist() == [3.0, 3.0]


def test_it_vanishes_as_gradients_become_opposite():
    for angle in (1e-3, 1e-6, 0.0):
        rows = torch.tensor([[1.0, 0.0], [-3.0 * np.cos(angle), 3.0 * np.sin(angle)]], dtype=F64)
        assert (weights_of(rows) @ rows).norm() == pytest.approx(4 * np.sin(angle / 2), abs=1e-15)


def test_one_group_alone_is_followed_as_it_is():
    rows = rows_of(3, 6, np.random.default_rng(3))
    assert weights_of(rows, DCGD(1), torch.tensor([1, 3, 4])).tolist() == [1.0] * 3
    rows[0] = 0
    assert weights_of(rows).tolist() == [1.0] * 3


def test_a_group_that_cancels_but_for_rounding_is_zero():
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        rows = torch.randn(4, 6, generator=generator, dtype=F64)
        rows[2] = -rows[0] - rows[1]
        torch.testing.assert_close(weights_of(rows, DCGD(3)), torch.ones(4, dtype=F64))


def test_bad_splits_are_refused():
    with pytest.raises(ValueError, match=r"split must be a whole number, 1 or more, got 0"):
        DCGD(0)
    with pytest.raises(ValueError, match="split must leave a task for the second group, got 3 of 3 tasks"):
        DCGD(3).bind(3)
