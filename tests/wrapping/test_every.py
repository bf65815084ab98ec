import pytest
import torch

import equipoise as eq
from equipoise.wrapping import Every

F64 = torch.float64


class Stamps(eq.Aggregator):
    """weights = 100 per call and the task's own number: shows when and for whom weights were decided."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, gramian, losses, tasks):
        self.calls += 1
        return 100.0 * self.calls + tasks.to(losses)


def step(method, *tasks):
    tasks = torch.tensor(tasks)
    return method(torch.eye(len(tasks), dtype=F64), torch.ones(len(tasks), dtype=F64), tasks).tolist()


def bound(n, num_tasks=4):
    method = Every(n, Stamps())
    method.bind(num_tasks)
    return method


@pytest.mark.parametrize("n", [1, 2, 5])
def test_weights_are_decided_in_every_nth_step(n):
    method = bound(n)
    for t in range(12):
        call = 100.0 * (t // n + 1)
        assert step(method, 0, 1, 2, 3) == [call, call + 1, call + 2, call + 3]


def test_fewer_tasks_use_their_own_weights():
    method = bound(3)
    assert step(method, 0, 1, 2) == [100, 101, 102]
    assert step(method, 0, 2) == [100, 102]
    assert step(method, 1) == [101]
    assert step(method, 2) == [202]


def test_a_task_that_was_not_there_calls_for_a_decision():
    method = bound(10)
    assert step(method, 0, 1) == [100, 101]
    assert step(method, 1, 3) == [201, 203]
    assert step(method, 1, 3) == [201, 203]
    assert step(method, 0) == [100]  # still its latest, and decided less than ten steps ago
    assert step(method, 0, 1) == [300, 301]  # each had weights, but not decided together


def test_the_next_decision_is_n_steps_after_the_latest():
    method = bound(3)
    step(method, 0)
    step(method, 0)
    assert step(method, 0, 1) == [200, 201]
    assert step(method, 0, 1) == [200, 201]
    assert step(method, 0, 1) == [200, 201]
    assert step(method, 0, 1) == [300, 301]


def test_weights_of_a_loss_that_overflowed_serve_one_step():
    class OneOver(eq.Weighting):
        """weights = losses."""

        def forward(self, losses, tasks):
            return losses.square().sum() / 2

    method = Every(3, OneOver())
    method.bind(2)
    seen = []
    for losses in ([1.0, float("inf")], [2.0, 3.0], [4.0, 5.0]):
        leaf = torch.tensor(losses, requires_grad=True)
        seen.append(torch.autograd.grad(method(leaf), leaf)[0].tolist())
    assert seen[1:] == [[2.0, 3.0], [2.0, 3.0]]


def test_resuming_falls_into_step():
    method, resumed = bound(3), bound(3)
    for _ in range(4):
        step(method, 0, 1)
    resumed.load_state_dict(method.state_dict())
    assert [step(resumed, 0, 1)[0] for _ in range(3)] == [200, 200, 100]  # the stamps begin anew with the object


@pytest.mark.parametrize("n", [0, -1, 1.5, "2"])
def test_errors(n):
    with pytest.raises(ValueError, match=f"n must be a whole number, 1 or more, got {n!r}"):
        Every(n, eq.MGDA())
