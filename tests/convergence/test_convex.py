"""Every method comes to what its row of the table says, on convex tasks with a known Pareto set."""

import functools

import pytest
import torch
from descent import EPOCH, descend
from limits import HOVERING, LIMITS, made, target
from quadratics import START, Quadratics, drawn
from stationary import residual

import equipoise as eq
from equipoise.registry.limit import NOTHING

KEPT = [name for name, limit in LIMITS.items() if limit.holds != NOTHING]


@functools.cache
def ended(name, num_tasks, steps):
    """The residual of Pareto-stationarity, and the distance from the promised point if there is one."""
    problem, method = drawn(num_tasks), made(name, num_tasks)
    x, mean = descend(method, problem, START, steps)
    x = mean if name in HOVERING else x
    point = target(name, problem, method)
    distance = 0.0 if point is None else float((x - point).norm())
    return residual(problem(x)[1]), distance


@pytest.mark.parametrize("name", KEPT)
def test_it_comes_to_its_point(name):
    found, distance = ended(name, 3, steps=200)
    assert found < 1e-3
    assert distance < 0.06


@pytest.mark.slow
@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("num_tasks", [2, 3])
def test_it_is_there_after_more_steps(name, num_tasks):
    found, distance = ended(name, num_tasks, steps=1500)
    assert found < 1e-3
    assert distance < 0.04


@pytest.mark.parametrize("name", LIMITS)
def test_a_balancer_takes_the_same_steps(name):
    """Without its own parameters' optimiser: what a balancer delivers and serves is what ``descend`` does."""
    problem, steps, rate = drawn(3), EPOCH + 2, 0.05
    expected, _ = descend(made(name, 3), problem, START, steps, rate, half=torch.inf)
    x = START.clone().requires_grad_()
    names = ["a", "b", "c"]
    balancer = eq.Balancer(made(name, 3), [x], tasks=names, scale="paper")
    optimiser = torch.optim.SGD([x, *balancer.parameters()], lr=rate)

    def losses():
        away = x - problem.centres
        return dict(
            zip(names, torch.einsum("kp,kpq,kq->k", away, problem.hessians, away) / 2 + problem.floors, strict=True)
        )

    for step in range(steps):
        optimiser.zero_grad()
        now = losses()
        balancer(now).backward()
        optimiser.step()
        balancer.after_step(losses())
        if (step + 1) % EPOCH == 0:
            balancer.observe({name: 1 / (1 + loss.item()) for name, loss in now.items()})
            balancer.end_epoch()
    torch.testing.assert_close(x.detach(), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_the_residual_is_zero_on_the_pareto_set_and_nowhere_else(seed):
    problem = drawn(3, seed=seed)
    weights = torch.rand(3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert residual(problem(problem.point(weights))[1]) < 1e-20
    assert residual(problem(problem.centres[0])[1]) < 1e-20
    gradient = weights @ problem(problem.point(weights) + 0.1)[1]
    assert gradient.norm() > 1e-3
    assert residual(problem(problem.point(weights) + 0.1)[1]) > 1e-5
    assert residual(torch.eye(3)) == pytest.approx(1 / 9)


BOWLS = Quadratics(  # equal bowls: every convex combination of the centres is Pareto-optimal, and no other point
    torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.2], [0.0, 0.4, 1.0]], dtype=torch.float64),
    torch.eye(3, dtype=torch.float64).expand(3, 3, 3),
    torch.ones(3, dtype=torch.float64),
)


@pytest.mark.parametrize("name", ["median", "trimmed-mean"])
def test_robust_means_by_coordinates_end_beside_the_pareto_set(name):
    """Of equal bowls at the coordinates' middle."""
    x, _ = descend(made(name, 3), BOWLS, START[:3], 200)
    torch.testing.assert_close(x, BOWLS.centres.median(dim=0).values, rtol=0, atol=1e-2)
    assert residual(BOWLS(x)[1]) > 1e-2


def test_krum_ends_at_the_minimum_of_the_task_with_the_nearest_neighbour():
    """Of equal bowls, whose gradients differ as their centres do: the second."""
    x, _ = descend(eq.Krum(), BOWLS, START[:3], 400)
    torch.testing.assert_close(x, BOWLS.centres[1], rtol=0, atol=1e-2)


def test_imtl_g_may_stop_where_every_task_could_gain():
    """Of three gradients in nearly one plane only its normal has equal cosines with all: the step is short."""
    rows = torch.tensor([[1.0, 0.0, 1e-3], [0.8, 0.6, 1e-3], [0.6, 0.8, 1e-3]], dtype=torch.float64)
    weights = eq.IMTLG()(rows @ rows.T, torch.ones(3, dtype=torch.float64))
    assert residual(rows) > 0.2
    assert (weights @ rows).norm() < 2e-3


def test_aligned_mtl_stops_on_the_front_whatever_the_weights():
    """Near the minimum of another weighting its step is as short as the front is near, where the sum has a gradient."""
    problem = drawn(3)
    rows = problem(problem.point([0.7, 0.2, 0.1]) + 1e-4)[1]
    weights = eq.AlignedMTL()(rows @ rows.T, torch.ones(3, dtype=torch.float64))
    assert rows.sum(dim=0).norm() > 0.1
    assert (weights @ rows).norm() < 1e-3 * rows.norm()


def test_pcd_gives_up_its_primary_task_on_the_front():
    """Of opposite gradients the other task is due its share, and only the way against the primary gives it."""
    rows = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    method = eq.PCD()
    method.bind(2)
    weights = method(rows @ rows.T, torch.ones(2, dtype=torch.float64))
    torch.testing.assert_close(weights @ rows, rows[1])
