import pytest
import torch

import equipoise as eq
from equipoise.wrapping import Warmup

F64 = torch.float64
ROWS = torch.tensor([[3.0, 0.0], [0.0, 0.5]], dtype=F64)
LOSSES = torch.ones(2, dtype=F64)


def weights_of(method, steps):
    method.bind(2)
    return [method(ROWS @ ROWS.T, LOSSES).tolist() for _ in range(steps)]


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_the_sum_for_the_first_steps_then_the_method(steps):
    after = eq.UnitNorm()(ROWS @ ROWS.T, LOSSES).tolist()
    assert weights_of(Warmup(steps, eq.UnitNorm()), 7) == [[1.0, 1.0]] * steps + [after] * (7 - steps)


def test_a_ramp_leads_from_one_to_the_other_in_equal_parts():
    weights = weights_of(Warmup(2, eq.UnitNorm(), ramp=3), 8)
    parts = [0, 0, 0.25, 0.5, 0.75, 1, 1, 1]
    assert [w[1] for w in weights] == pytest.approx([1 + part * (2 - 1) for part in parts])
    assert [w[0] for w in weights] == pytest.approx([1 + part * (1 / 3 - 1) for part in parts])


def test_the_method_sees_no_step_of_the_sum():
    norm = eq.RunningNorm()
    weights_of(Warmup(3, norm, ramp=2), 5)
    assert norm.steps.tolist() == [2, 2]


def test_absent_tasks_do_not_stop_the_clock():
    method = Warmup(2, eq.UnitNorm())
    method.bind(2)
    for task in (0, 1):
        row = ROWS[[task]]
        assert method(row @ row.T, LOSSES[:1], torch.tensor([task])).tolist() == [1.0]
    assert method(ROWS @ ROWS.T, LOSSES).tolist() == pytest.approx([1 / 3, 2.0])


def test_errors():
    with pytest.raises(ValueError, match="steps must be a whole number, 0 or more, got -1"):
        Warmup(-1, eq.MGDA())
    with pytest.raises(ValueError, match=r"ramp must be a whole number, 0 or more, got 0\.5"):
        Warmup(1, eq.MGDA(), ramp=0.5)
