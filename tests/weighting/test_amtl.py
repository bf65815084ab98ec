import math

import pytest
import torch

import equipoise as eq
from equipoise.testing import NUM_TASKS, check_method
from equipoise.weighting.amtl import AMTL

LOSSES = [2.0, 0.3, 50.0]


def bound(method, num_tasks=3):
    method.bind(num_tasks)
    return method


def tell(method, *results, tasks=None):
    tasks = range(len(results)) if tasks is None else tasks
    method.observe(torch.tensor(results, dtype=torch.float64), torch.tensor(list(tasks)))


def exponents_of(method, tasks=(0, 1, 2)):
    """d log objective / d log loss."""
    losses = torch.tensor([LOSSES[k] for k in tasks], dtype=torch.float64, requires_grad=True)
    objective = method(losses, torch.tensor(tasks))
    (weights,) = torch.autograd.grad(objective, losses)
    return (weights * losses / objective).tolist()


def expected(kpis, potential, gamma=2.0, margin=0.05):
    """exp of the shortfalls over their sum, one by one."""
    shortfalls = [max(0.0, 1 - kpi / ((1 + margin) * best)) ** gamma for kpi, best in zip(kpis, potential, strict=True)]
    total = sum(map(math.exp, shortfalls))
    return pytest.approx([math.exp(shortfall) / total for shortfall in shortfalls], rel=1e-6)


def test_it_keeps_the_laws():
    check_method(lambda: AMTL([0.7] * NUM_TASKS))
    check_method(
        lambda: AMTL([0.9, 0.5, 0.7, 0.6, 3.0], gamma=1.0, margin=0.0),
        except_for={"ignores_task_order": "its potentials belong to the tasks by their places"},
    )


def test_exponents_follow_the_shortfall_from_the_single_task_result():
    method = bound(AMTL([0.8, 0.5, 20.0]))
    assert exponents_of(method) == pytest.approx([1 / 3] * 3)
    tell(method, 0.2, 0.5, 3.0)
    assert exponents_of(method) == expected([0.2, 0.5, 3.0], [0.8, 0.5, 20.0])
    tell(method, 0.6, 0.4, tasks=[0, 2])
    assert exponents_of(method) == expected([0.24, 0.5, 2.74], [0.8, 0.5, 20.0])


@pytest.mark.parametrize(("gamma", "margin"), [(1.0, 0.0), (0.5, 0.3), (4.0, 0.05)])
def test_gamma_and_margin(gamma, margin):
    method = bound(AMTL([0.8, 0.5, 0.9], gamma, margin))
    tell(method, 0.2, 0.45, 0.9)
    assert exponents_of(method) == expected([0.2, 0.45, 0.9], [0.8, 0.5, 0.9], gamma, margin)


def test_the_objective_is_the_weighted_geometric_mean():
    method = bound(AMTL([0.5] * 3))
    losses = torch.tensor(LOSSES, dtype=torch.float64)
    assert method(losses).item() == pytest.approx((2.0 * 0.3 * 50.0) ** (1 / 3))
    tell(method, 0.5, 0.1, 0.3)
    a, b, c = exponents_of(method)
    assert method(losses).item() == pytest.approx(2.0**a * 0.3**b * 50.0**c)
    assert method(torch.full((3,), 7.0)).item() == pytest.approx(7.0)


def test_a_task_above_its_goal_is_not_given_weight_again():
    # the official code squares the negative shortfall, so that 2 * potential counts almost like no result at all
    method, done = bound(AMTL([0.5, 0.5], alpha=1.0), 2), bound(AMTL([0.5, 0.5], alpha=1.0), 2)
    tell(method, 1.0, 0.2)
    tell(done, 0.525, 0.2)
    assert exponents_of(method, (0, 1)) == pytest.approx(exponents_of(done, (0, 1)))


def test_present_tasks_share_the_exponents():
    method = bound(AMTL([0.8, 0.5, 0.9]))
    tell(method, 0.2, 0.45, 0.6)
    assert exponents_of(method, (0, 2)) == expected([0.2, 0.6], [0.8, 0.9])


def test_a_users_weight_multiplies_the_exponent_and_nothing_else_does():
    results = {"a": 0.2, "b": 0.4}
    balancer = eq.Balancer(AMTL([0.5, 0.5]), torch.nn.Linear(1, 2), tasks={"a": 3.0, "b": 1.0})
    balancer.observe(results)
    plain = bound(AMTL([0.5, 0.5]), 2)
    tell(plain, *results.values())
    a, b = exponents_of(plain, (0, 1))
    assert exponents_of(balancer.method, (0, 1)) == pytest.approx([3 * a / (3 * a + b), b / (3 * a + b)])


def test_a_result_that_is_not_finite_says_nothing():
    method = bound(AMTL([0.8, 0.5, 0.9]))
    tell(method, 0.2, float("inf"), float("nan"))
    assert exponents_of(method) == expected([0.2, 0.0, 0.0], [0.8, 0.5, 0.9])


def test_errors():
    for arguments, message in [
        (([0.5, 0.0],), r"potential\[\d\] must be in \(0, inf\), got 0.0"),
        (([0.5], 0.0), r"gamma must be in \(0, inf\), got 0.0"),
        (([0.5], 2.0, -0.1), r"margin must be in \[0, inf\), got -0.1"),
        (([0.5], 2.0, 0.05, 1.5), r"alpha must be in \(0, 1\], got 1.5"),
    ]:
        with pytest.raises(ValueError, match=message):
            AMTL(*arguments)
    with pytest.raises(ValueError, match="potential must hold a number for each task, got none"):
        AMTL([])
    with pytest.raises(ValueError, match="potential must hold one value for each of 3 tasks"):
        bound(AMTL([0.5, 0.5]))


@pytest.mark.parametrize("loss", [0.0, -1.0])
def test_a_loss_without_logarithm_is_named(loss):
    method = AMTL([1.0, 1.0])
    method.bind(2)
    with pytest.raises(ValueError, match=r"positive losses.*task 0"):
        method(torch.tensor([loss, 1.0], requires_grad=True))
