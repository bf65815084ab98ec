import pytest
import torch

import equipoise as eq
from equipoise.testing import check_method
from equipoise.wrapping import Bounded

F64 = torch.float64


class Told(eq.Aggregator):
    """weights = losses."""

    def forward(self, gramian, losses, tasks):
        return losses


def weights_of(method, weights, tasks=None):
    method.bind(3)
    losses = torch.tensor(weights, dtype=F64)
    tasks = None if tasks is None else torch.tensor(tasks)
    return method(torch.eye(len(losses), dtype=F64), losses, tasks).tolist()


def test_what_lies_between_is_left_and_the_rest_is_cut():
    assert weights_of(Bounded(0.5, 2.0, Told()), [0.1, 0.7, 9.0]) == [0.5, 0.7, 2.0]
    assert weights_of(Bounded(0.5, None, Told()), [-0.1, 0.7, 9.0]) == [0.5, 0.7, 9.0]
    assert weights_of(Bounded(None, 0.5, Told()), [-0.1, 0.7, 9.0]) == [-0.1, 0.5, 0.5]
    assert weights_of(Bounded(-1, 1, Told()), [-3.0, -0.5, 9.0]) == [-1.0, -0.5, 1.0]


def test_bounds_may_belong_to_tasks():
    low, high = [0.0, 0.5, 1.0], (2.0, 0.5, 3.0)
    assert weights_of(Bounded(low, high, Told()), [5.0, 5.0, 5.0]) == [2.0, 0.5, 3.0]
    assert weights_of(Bounded(low, 4.0, Told()), [0.1, 0.1, 5.0]) == [0.1, 0.5, 4.0]
    assert weights_of(Bounded(low, high, Told()), [0.1, 5.0], tasks=[1, 2]) == [0.5, 3.0]
    check_method(
        lambda: Bounded([0.0, 0.1, 0.2, 0.3, 0.4], 0.9, eq.MGDA()),
        except_for={"ignores_task_order": "bounds per task belong to the tasks by their places"},
    )


def test_a_floor_keeps_a_task_in_training_that_mgda_would_drop():
    rows = torch.tensor([[10.0, 1.0], [1.0, 0.0]], dtype=F64)
    assert eq.MGDA()(rows @ rows.T, torch.ones(2, dtype=F64)).tolist() == [0.0, 1.0]
    method = Bounded(0.2, 1.0, eq.MGDA())
    method.bind(2)
    assert method(rows @ rows.T, torch.ones(2, dtype=F64)).tolist() == [0.2, 1.0]


def test_a_floor_under_an_overflowing_loss_lets_it_through():
    method = Bounded(0.2, 1.0, eq.UW())
    method.bind(2)
    losses = torch.tensor([1.0, float("inf")], requires_grad=True)
    assert not method(losses).isfinite()


def test_errors():
    for low, high, message in [
        (2.0, 1.0, "low must be at most high, got 2.0 and 1.0"),
        (float("nan"), 1.0, "low and high must be finite, or None for no bound, got nan and 1.0"),
        (0.0, float("inf"), "low and high must be finite, or None"),
        ([0.0, 2.0], 1.0, r"low must be at most high, got \[0.0, 2.0\] and 1.0"),
        ([0.0, 2.0], [1.0, 1.0, 1.0], "low and high must hold one number for each task"),
        ([], 1.0, "low and high must hold one number for each task"),
    ]:
        with pytest.raises(ValueError, match=message):
            Bounded(low, high, eq.MGDA())
    for low, high in [([0.0, 0.1], None), (0.0, [1.0, 1.0])]:
        with pytest.raises(ValueError, match=r"low and high must hold one number for each of 3 tasks, got \["):
            Bounded(low, high, eq.MGDA()).bind(3)
