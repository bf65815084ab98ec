import pytest
import torch

from equipoise.aggregation import Clip, RunningNorm, UnitNorm

F64 = torch.float64
LOSSES = torch.ones(3, dtype=F64)
ROWS = torch.tensor([[3.0, 4.0], [0.6, -0.8], [0.0, 0.1]], dtype=F64)  # norms 5, 1, 0.1


def bound(method):
    method.bind(3)
    return method


def check_weights(weights, *expected):
    torch.testing.assert_close(weights, torch.tensor(expected, dtype=F64))


def test_clip_bounds_the_norm_and_leaves_shorter_gradients():
    check_weights(Clip(0.5)(ROWS @ ROWS.T, LOSSES), 0.1, 0.5, 1.0)
    check_weights(Clip(1.0)(ROWS @ ROWS.T, LOSSES), 0.2, 1.0, 1.0)
    check_weights(Clip(1.0)(0 * ROWS @ ROWS.T, LOSSES), 1.0, 1.0, 1.0)


@pytest.mark.parametrize("scale", [1e-20, 1e15])
def test_clip_is_the_same_in_other_units(scale):
    check_weights(Clip(0.5 * scale)(scale**2 * ROWS @ ROWS.T, LOSSES), 0.1, 0.5, 1.0)


def test_unit_norm_makes_all_norms_one():
    check_weights(UnitNorm()(ROWS @ ROWS.T, LOSSES), 0.2, 1.0, 10.0)


@pytest.mark.parametrize("scale", [1e-20, 1e-12, 1e12, 1e15])
def test_norms_do_not_depend_on_the_scale(scale):
    weights = UnitNorm()(scale**2 * ROWS @ ROWS.T, LOSSES)
    check_weights((weights[:, None] * scale * ROWS).norm(dim=1), 1.0, 1.0, 1.0)
    weights = bound(RunningNorm())(scale**2 * ROWS @ ROWS.T, LOSSES)
    check_weights((weights[:, None] * scale * ROWS).norm(dim=1), 1.0, 1.0, 1.0)


def test_a_zero_gradient_keeps_weight_one():
    rows = ROWS * torch.tensor([[1.0], [0.0], [1.0]], dtype=F64)
    check_weights(UnitNorm()(rows @ rows.T, LOSSES), 0.2, 1.0, 10.0)
    check_weights(bound(RunningNorm())(rows @ rows.T, LOSSES), 0.2, 1.0, 10.0)


def test_running_norm_divides_by_the_corrected_mean():
    method = bound(RunningNorm(beta=0.5))
    check_weights(method(ROWS @ ROWS.T, LOSSES), 0.2, 1.0, 10.0)
    # the means of (5, 1, 0.1) and of thrice that, in parts 1 : 2
    check_weights(method(9 * ROWS @ ROWS.T, LOSSES), *(1 / (norm * (1 + 2 * 3) / 3) for norm in (5, 1, 0.1)))
    # and of zero, in parts 1 : 2 : 4
    check_weights(method(0 * ROWS @ ROWS.T, LOSSES), *(1 / (norm * (1 + 2 * 3 + 0) / 7) for norm in (5, 1, 0.1)))


def test_running_norm_of_a_steady_gradient_is_its_norm():
    method = bound(RunningNorm())
    for _ in range(30):
        check_weights(method(ROWS @ ROWS.T, LOSSES), 0.2, 1.0, 10.0)


def test_running_norm_leaves_an_absent_task_alone():
    method, other = bound(RunningNorm(beta=0.5)), bound(RunningNorm(beta=0.5))
    method(ROWS @ ROWS.T, LOSSES)
    other(ROWS @ ROWS.T, LOSSES)
    present = torch.tensor([0, 2])
    few = 2 * ROWS[present]
    check_weights(method(few @ few.T, LOSSES[present], present), 1 / (5 * 5 / 3), 1 / (0.1 * 5 / 3))
    # task 1 goes on as if the step had not been
    assert method(ROWS @ ROWS.T, LOSSES)[1] == other(ROWS @ ROWS.T, LOSSES)[1]
    assert method.steps.tolist() == [3, 2, 3]


def test_running_norm_resumes():
    method, fresh = bound(RunningNorm()), bound(RunningNorm())
    for scale in (1.0, 3.0, 0.2):
        method(scale * ROWS @ ROWS.T, LOSSES)
    fresh.load_state_dict(method.state_dict())
    assert torch.equal(method(ROWS @ ROWS.T, LOSSES), fresh(ROWS @ ROWS.T, LOSSES))


@pytest.mark.parametrize("max_norm", [0.0, -1.0, float("nan")])
def test_clip_refuses(max_norm):
    with pytest.raises(ValueError, match=r"max_norm must be in \(0, inf\], got"):
        Clip(max_norm)


@pytest.mark.parametrize("beta", [-0.1, 1.0, float("nan")])
def test_running_norm_refuses(beta):
    with pytest.raises(ValueError, match=r"beta must be in \[0, 1\), got"):
        RunningNorm(beta)
