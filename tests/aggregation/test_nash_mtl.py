import pytest
import torch

from equipoise.aggregation import NashMTL

F64 = torch.float64
ROWS = torch.randn(4, 9, generator=torch.Generator().manual_seed(0), dtype=F64)
LOSSES = torch.ones(4, dtype=F64)


def bound(method, num_tasks=4):
    method.bind(num_tasks)
    return method


def powers_of(weights, rows):
    """alpha_k (G alpha)_k, which the bargaining equations say is the preference."""
    return weights * (rows @ (weights @ rows))


def test_every_task_bargains_alike():
    method = bound(NashMTL())
    torch.testing.assert_close(powers_of(method(ROWS @ ROWS.T, LOSSES), ROWS), LOSSES)
    assert method.unsolved == 0


def test_two_rows_go_along_the_bisector():
    rows = torch.tensor([[2.0, 0.0], [-0.03, 0.04]], dtype=F64)
    weights = bound(NashMTL(), 2)(rows @ rows.T, LOSSES[:2])
    bisector = torch.tensor([1.0, 0.0], dtype=F64) + torch.tensor([-0.6, 0.8], dtype=F64)
    torch.testing.assert_close(weights @ rows, bisector / bisector.norm() * 2**0.5)


def test_a_users_weight_multiplies_the_preference():
    method = bound(NashMTL(preference=[1.0, 2.0, 3.0, 4.0]))
    torch.testing.assert_close(powers_of(method(ROWS @ ROWS.T, LOSSES), ROWS), torch.tensor([1.0, 2, 3, 4], dtype=F64))
    for _ in range(2):  # said twice, meant once
        method.prefer(torch.tensor([1.0, 0.5, 2.0, 1.0]))
    torch.testing.assert_close(powers_of(method(ROWS @ ROWS.T, LOSSES), ROWS), torch.tensor([1.0, 1, 6, 4], dtype=F64))


def test_a_present_task_keeps_its_own_preference():
    method = bound(NashMTL(preference=[1.0, 2.0, 3.0, 4.0]))
    tasks = torch.tensor([1, 3])
    rows = ROWS[tasks]
    torch.testing.assert_close(
        powers_of(method(rows @ rows.T, LOSSES[tasks], tasks), rows), torch.tensor([2.0, 4], dtype=F64)
    )


def test_unsolvable_steps_are_counted():
    method = bound(NashMTL(), 3)
    rows = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, -3.0]], dtype=F64)
    for count in (1, 2):
        assert (method(rows @ rows.T, LOSSES[:3]) @ rows).norm() < 1e-7
        assert method.unsolved == count
    method(torch.eye(3, dtype=F64), LOSSES[:3])
    assert method.unsolved == 2


def test_a_zero_gradient_is_counted_and_leaves_the_others_their_bargain():
    method = bound(NashMTL(), 3)
    rows = torch.tensor([[3.0, 4.0], [0.0, 0.0], [0.8, -0.6]], dtype=F64)
    weights = method(rows @ rows.T, LOSSES[:3])
    torch.testing.assert_close(weights, torch.tensor([0.2, 1.0, 1.0], dtype=F64))
    assert method.unsolved == 1


def test_one_task_has_a_step_of_length_one():
    rows = torch.tensor([[3.0, 4.0]], dtype=F64)
    weights = bound(NashMTL(), 1)(rows @ rows.T, LOSSES[:1])
    torch.testing.assert_close(weights, torch.tensor([0.2], dtype=F64))


def test_bad_preferences_are_refused():
    with pytest.raises(ValueError, match=r"preference\[\d\] must be in \(0, inf\), got 0.0"):
        NashMTL(preference=[1.0, 0.0])
    with pytest.raises(ValueError, match="preference must hold one value for each of 3 tasks"):
        NashMTL(preference=[1.0, 2.0]).bind(3)
