import math

import numpy as np
import pytest
import torch

from equipoise.aggregation.pivrg import PIVRG
from equipoise.testing import check_method
from equipoise.testing.laws import ignores_task_order

F64 = torch.float64
BASELINE = [0.5, -2.0, 80.0]
NOT_HOMOGENEOUS = {"is_homogeneous": "all losses times c give the gradient times c^(-1/3), as alpha = 2 has it"}
ROWS = torch.from_numpy(np.random.default_rng(0).standard_normal((3, 7)) + 0.3)


def bound(method=None, num_tasks=3):
    method = method or PIVRG(BASELINE)
    method.bind(num_tasks)
    return method


def observed(results, method=None):
    method = bound(method)
    method.observe(torch.tensor(results, dtype=F64), torch.arange(3))
    return method


def weights_of(method, rows=ROWS, tasks=None):
    return method(rows @ rows.T, torch.ones(len(rows), dtype=F64), tasks)


def shares_of(method, rows=ROWS, tasks=None):
    """w (G w)^2, which the equations say is s."""
    weights = weights_of(method, rows, tasks)
    return weights * (rows @ (weights @ rows)) ** 2


def official(scores, bound, mintemp):
    """The official code's weights."""
    scores = np.array(scores)
    temperature = max((scores.max() - scores.min()) / np.log(bound), mintemp)
    powers = np.exp((scores - scores.max()) / temperature)
    return torch.from_numpy(len(scores) * powers / powers.sum())


def test_the_laws_hold():
    check_method(lambda: PIVRG([-0.5] * 5), except_for=NOT_HOMOGENEOUS)
    by_place = NOT_HOMOGENEOUS | {"ignores_task_order": "its baselines belong to the tasks by their places"}
    check_method(lambda: PIVRG([0.5, -1.0, 2.0, 3.0, -0.1]), except_for=by_place)
    ignores_task_order(lambda: PIVRG([0.7] * 5))


def test_all_losses_times_c_give_the_gradient_times_one_over_its_cube_root():
    for c in (1e-20, 1e-3, 1e12):
        expected = weights_of(bound()) @ ROWS * c ** (-1 / 3)
        torch.testing.assert_close(weights_of(bound(), c * ROWS) @ (c * ROWS), expected, rtol=1e-9, atol=0)


def test_tasks_share_alike_until_a_result_is_known():
    torch.testing.assert_close(shares_of(bound()), torch.ones(3, dtype=F64))


@pytest.mark.parametrize(("limit", "least"), [(2.0, 10.0), (1.8, 20.0), (50.0, 0.1)])
def test_a_task_below_its_baseline_has_the_larger_share(limit, least):
    # 20 % worse, 50 % better, 10 % worse
    method = observed([0.4, -1.0, 72.0], PIVRG(BASELINE, limit, least))
    torch.testing.assert_close(method.delta, torch.tensor([20.0, -50.0, 10.0], dtype=F64))
    torch.testing.assert_close(shares_of(method), official([20.0, -50.0, 10.0], limit, least))


def test_no_share_is_more_than_bound_times_another():
    shares = shares_of(observed([0.4, -1.0, 72.0]))
    assert shares.max() / shares.min() == pytest.approx(2.0)  # the range, 70, is above 10 ln 2
    shares = shares_of(observed([0.499, -2.0, 80.0]))
    assert shares.max() / shares.min() == pytest.approx(math.exp(0.02))


def test_present_tasks_share_among_themselves():
    method = observed([0.4, -1.0, 72.0])
    present = torch.tensor([0, 2])
    torch.testing.assert_close(shares_of(method, ROWS[present], present), official([20.0, 10.0], 2.0, 10.0))


def test_only_finite_results_of_the_tasks_observed_count():
    method = observed([0.4, -1.0, 72.0])
    method.observe(torch.tensor([float("nan"), -4.0], dtype=F64), torch.tensor([0, 1]))
    torch.testing.assert_close(method.delta, torch.tensor([20.0, 100.0, 10.0], dtype=F64))


def test_a_users_weight_multiplies_the_share():
    method, power = observed([0.4, -1.0, 72.0]), torch.tensor([1.0, 3.0, 0.5], dtype=F64)
    method.prefer(power)
    weights = weights_of(method, power[:, None] * ROWS) * power  # of the losses before the users' weights
    expected = power * official([20.0, -50.0, 10.0], 2.0, 10.0)
    torch.testing.assert_close(weights * (ROWS @ (weights @ ROWS)) ** 2, expected)


def test_steps_without_a_solution_are_counted():
    method = bound()
    rows = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, -3.0]], dtype=F64)
    assert (weights_of(method, rows) @ rows).norm() < 1e-7
    assert method.unsolved == 1
    weights_of(method)
    assert method.unsolved == 1


def test_bad_arguments_are_refused():
    for baseline in ([], [1.0, 0.0], [1.0, float("nan")], [float("inf")]):
        with pytest.raises(ValueError, match="baseline must hold a finite number other than zero for every task, got"):
            PIVRG(baseline)
    with pytest.raises(ValueError, match="bound must be above 1, got 1"):
        PIVRG(BASELINE, bound=1)
    with pytest.raises(ValueError, match=r"min_temperature must be in \(0, inf\], got 0"):
        PIVRG(BASELINE, min_temperature=0)
    with pytest.raises(ValueError, match=r"baseline must hold one value for each of 2 tasks, got \[0.5, -2.0, 80.0\]"):
        bound(num_tasks=2)
