import math

import pytest
import torch
from driving import bound, weights_of

from equipoise.testing import check_method
from equipoise.weighting.scheduled import Scheduled

WHY = {"ignores_task_order": "its weights belong to the tasks by their places"}
ROWS = [[1.0, 0.0, 2.0], [0.5, 0.5, 3.0], [0.25, 1.0, 0.0]]


@pytest.mark.parametrize("per", ["step", "epoch"])
def test_laws(per):
    check_method(lambda: Scheduled([[1, 2, 3, 4, 5], [5, 4, 3, 2, 1.5]], per), except_for=WHY)


def test_a_row_per_step_and_the_last_one_stays():
    method = bound(Scheduled(ROWS))
    for row in [*ROWS, ROWS[-1], ROWS[-1]]:
        assert weights_of(method, [9.0, 9.0, 9.0]) == row
        method.end_epoch()


def test_the_weights_have_the_losses_precision():
    assert weights_of(bound(Scheduled([[0.1, 0.2, 0.3]])), [9.0, 9.0, 9.0]) == [0.1, 0.2, 0.3]


def test_a_row_per_epoch():
    method = bound(Scheduled(ROWS, per="epoch"))
    for row in [*ROWS, ROWS[-1]]:
        for _ in range(2):
            assert weights_of(method, [9.0, 9.0, 9.0]) == row
        method.end_epoch()


@pytest.mark.parametrize("per", ["step", "epoch"])
def test_a_function(per):
    method = bound(Scheduled(lambda t: [1.0, 0.5**t, min(t / 2, 1)], per))
    for t in range(4):
        assert weights_of(method, [9.0, 9.0, 9.0]) == [1.0, 0.5**t, min(t / 2, 1)]
        method.end_epoch()


def test_weights_belong_to_tasks_and_a_step_without_a_task_counts():
    method = bound(Scheduled(ROWS))
    assert weights_of(method, [9.0, 9.0], [0, 2]) == [1.0, 2.0]
    assert weights_of(method, [9.0, 9.0], [1, 2]) == [0.5, 3.0]


def test_the_time_is_saved_and_the_rows_are_not():
    method, resumed = bound(Scheduled(ROWS)), bound(Scheduled([[9.0] * 3, [8.0] * 3]))
    weights_of(method, [1.0] * 3)
    resumed.load_state_dict(method.state_dict())
    assert weights_of(resumed, [1.0] * 3) == [8.0] * 3


def test_errors():
    with pytest.raises(ValueError, match="per must be 'step' or 'epoch', got 'batch'"):
        Scheduled(ROWS, per="batch")
    with pytest.raises(ValueError, match=r"weights must hold at least one row, got \[\]"):
        Scheduled([])
    for row in ([1.0, 2.0], [1.0, 2.0, -1.0], [1.0, 2.0, math.nan], [1.0, 2.0, math.inf]):
        for weights in ([ROWS[0], row], lambda t, row=row: row):
            with pytest.raises(
                ValueError, match="weights must give 3 finite numbers, none negative, one per task; got"
            ):
                bound(Scheduled(weights))(torch.ones(3))
