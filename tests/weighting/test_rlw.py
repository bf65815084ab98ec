import numpy as np
import pytest
import torch
from driving import bound, weights_of

from equipoise.testing import check_method
from equipoise.weighting.rlw import RLW

WHY = {"ignores_task_order": "it draws a weight for each place, so only its distribution ignores their order"}
STEPS = 1000


def draws(method, tasks=None, steps=STEPS):
    losses = [1.0] * (3 if tasks is None else len(tasks))
    return np.array([weights_of(method, losses, tasks) for _ in range(steps)])


@pytest.mark.parametrize("distribution", ["normal", "dirichlet"])
def test_laws(distribution):
    check_method(lambda: RLW(distribution), except_for=WHY)


@pytest.mark.paired
@pytest.mark.parametrize("distribution", ["normal", "dirichlet"])
@pytest.mark.parametrize("tasks", [None, [0, 2]])
def test_weights_are_on_the_simplex_and_no_task_is_favoured(distribution, tasks):
    weights = draws(bound(RLW(distribution)), tasks)
    k = weights.shape[1]
    assert (weights > 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(weights.mean(axis=0), 1 / k, atol=4 * weights.std() / STEPS**0.5)


def test_log_ratios_of_normal_weights_have_variance_two():
    weights = draws(bound(RLW()))
    ratios = np.log(weights[:, 0] / weights[:, 1])  # the difference of two standard normals
    assert ratios.var() == pytest.approx(2, rel=0.2)
    assert abs(ratios.mean()) < 4 * 2**0.5 / STEPS**0.5


def test_dirichlet_weights_are_uniform_on_the_simplex():
    # Dirichlet(1, 1, 1): variance (1/3)(2/3) / 4 = 1/18, covariance -1/36
    covariance = np.cov(draws(bound(RLW("dirichlet"))).T)
    np.testing.assert_allclose(covariance, np.eye(3) / 12 - 1 / 36, atol=1e-2)


def test_an_absent_task_moves_no_others_draw():
    whole, part = weights_of(bound(RLW()), [1.0] * 3), weights_of(bound(RLW()), [1.0] * 2, [0, 2])
    assert part[0] / part[1] == pytest.approx(whole[0] / whole[2])


def test_draws_follow_from_seed_and_step():
    first, other = draws(bound(RLW()), steps=3), draws(bound(RLW(seed=1)), steps=3)
    assert (first[0] != first[1]).all()
    assert (first != other).all()
    resumed = bound(RLW())
    method = bound(RLW())
    weights_of(method, [1.0] * 3)
    resumed.load_state_dict(method.state_dict())
    assert weights_of(resumed, [1.0] * 3) == first[1].tolist()


def test_the_count_of_steps_stays_on_the_cpu_in_its_own_precision():
    method = bound(RLW()).to(torch.device("meta")).half()
    assert method.clock.steps.device.type == "cpu"
    assert method.clock.steps.dtype == torch.int64


def test_errors():
    with pytest.raises(ValueError, match="distribution must be 'normal' or 'dirichlet', got 'uniform'"):
        RLW("uniform")
    with pytest.raises(ValueError, match=r"seed must be a whole number, 0 or more, got -1"):
        RLW(seed=-1)
