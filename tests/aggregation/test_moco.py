import warnings

import pytest
import torch

from equipoise.aggregation.moco import MoCo
from equipoise.aggregation.solvers.min_norm import min_norm
from equipoise.testing import check_method
from equipoise.testing.run import BATCHES, bound, gradient

F64 = torch.float64
UNITS = "gamma is a step in the units of one over the squared length of a gradient, and rho in those of its square"
ROWS = torch.randn(3, 6, generator=torch.Generator().manual_seed(0), dtype=F64)
LOSSES = torch.ones(3, dtype=F64)


def bound_to(method, num_tasks=3):
    method.bind(num_tasks)
    return method


def project(point):
    """The nearest point of the simplex, by bisection for max(point - t, 0) of sum 1."""
    low, high = min(point) - 1, max(point)
    for _ in range(200):
        t = (low + high) / 2
        low, high = (t, high) if sum(max(v - t, 0.0) for v in point) > 1 else (low, t)
    return [max(v - low, 0.0) for v in point]


def algorithm(steps, beta, gamma, rho, relative=False):
    """Algorithm 1 on lists, for K tasks that are always present; relative: its gramian over the gramian's trace."""
    count, width = steps[0].shape
    tracked, weights = [[0.0] * width for _ in range(count)], [1 / count] * count
    for rows in steps:
        for k in range(count):
            tracked[k] = [y - beta * (y - float(g)) for y, g in zip(tracked[k], rows[k], strict=True)]
        direction = [sum(weights[k] * tracked[k][p] for k in range(count)) for p in range(width)]
        slopes = [sum(y * d for y, d in zip(tracked[k], direction, strict=True)) for k in range(count)]
        trace = sum(y * y for row in tracked for y in row) if relative else 1.0
        slopes = [slope / trace for slope in slopes]
        weights = project([w - gamma * (s + rho * w) for w, s in zip(weights, slopes, strict=True)])
        yield [sum(weights[k] * tracked[k][p] for k in range(count)) for p in range(width)]


@pytest.mark.parametrize("make", [MoCo, lambda: MoCo(beta=1.0, gamma=3.0, rho=0.5)])
def test_laws(make):
    check_method(make)


def test_laws_of_the_papers_step():
    check_method(lambda: MoCo(relative=False), except_for={"is_homogeneous": UNITS})


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize(("beta", "gamma", "rho"), [(0.1, 0.1, 0.1), (0.5, 0.3, 0.0), (1.0, 5.0, 0.5)])
def test_it_is_the_algorithm(beta, gamma, rho, relative):
    generator = torch.Generator().manual_seed(1)
    steps = [ROWS + torch.randn(3, 6, generator=generator, dtype=F64) for _ in range(12)]
    method = bound_to(MoCo(beta, gamma, rho, relative))
    for rows, expected in zip(steps, algorithm(steps, beta, gamma, rho, relative), strict=True):
        torch.testing.assert_close(method(rows, LOSSES).tolist(), expected, rtol=1e-9, atol=1e-12)


def test_in_other_units_the_papers_step_is_homogeneous():
    for scale in (2.0**-33, 2.0**17):
        method = bound(MoCo(0.3, 0.2, 0.5, relative=False))
        scaled = bound(MoCo(0.3, 0.2 / scale**2, 0.5 * scale**2, relative=False))
        for shown in BATCHES:
            torch.testing.assert_close(gradient(scaled, shown.scaled(scale)) / scale, gradient(method, shown))


@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_losses_times_a_factor_give_the_gradient_times_it(scale):
    generator = torch.Generator().manual_seed(5)
    steps = [ROWS + torch.randn(3, 6, generator=generator, dtype=F64) for _ in range(50)]
    plain, scaled = bound_to(MoCo()), bound_to(MoCo())
    for rows in steps:
        torch.testing.assert_close(scaled(scale * rows, scale * LOSSES) / scale, plain(rows, LOSSES))
    assert float(plain.shares.std()) > 0.01  # the weights did move
    paper = [bound_to(MoCo(gamma=0.1, relative=False)) for _ in range(2)]
    for rows in steps:
        ends = [paper[0](rows, LOSSES), paper[1](scale * rows, scale * LOSSES) / scale]
    assert (ends[0] - ends[1]).norm() > 0.01 * ends[0].norm()  # the paper's step fits one length only


@pytest.mark.paired
@pytest.mark.parametrize("count", [3, 10, 30])
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_by_default_it_comes_to_mgda_for_gradients_of_any_length_and_any_number_of_tasks(count, scale):
    rows = scale * torch.randn(count, 60, generator=torch.Generator().manual_seed(count), dtype=F64)
    method = bound_to(MoCo(), count)
    for _ in range(800):
        direction = method(rows, torch.ones(count, dtype=F64))
    expected = torch.from_numpy(min_norm((rows @ rows.T).numpy())) @ rows
    assert (direction - expected).norm() < 0.01 * expected.norm()


@pytest.mark.parametrize(
    "rows",
    [
        torch.tensor([[1.0, 2.0], [3.0, 5.0]], dtype=F64),
        pytest.param(ROWS, marks=pytest.mark.slow),
        pytest.param(torch.tensor([[1.0, 0.0], [0.0, 0.1]], dtype=F64), marks=pytest.mark.slow),
    ],
)
def test_steady_gradients_lead_to_the_least_norm(rows):
    method = bound_to(MoCo(beta=0.5, gamma=1.0), len(rows))
    for _ in range(3000):
        direction = method(rows, torch.ones(len(rows), dtype=F64))
    expected = torch.from_numpy(min_norm((rows @ rows.T).numpy()))
    torch.testing.assert_close(method.shares, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(direction, expected @ rows, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_rho_pulls_the_weights_together():
    spread = []
    for rho in (0.0, 1.0, 100.0):
        method = bound_to(MoCo(beta=1.0, gamma=0.005, rho=rho))
        for _ in range(2000):
            method(ROWS * torch.tensor([[1.0], [0.2], [3.0]], dtype=F64), LOSSES)
        spread.append(float(method.shares.std()))
    assert spread[0] > spread[1] > spread[2]


def test_noise_averages_out():
    # two opposite halves of a step's noise: the tracked gradients come close to their mean, single ones never do
    noise = 5 * torch.randn(3, 6, generator=torch.Generator().manual_seed(3), dtype=F64)
    method = bound_to(MoCo(beta=0.01, gamma=1e-3))
    for step in range(2000):
        method(ROWS + (-1) ** step * noise, LOSSES)
    assert (method.memory - ROWS).norm() < 0.01 * noise.norm()


def test_absent_tasks_keep_their_share():
    method = bound_to(MoCo(beta=0.5, gamma=0.3))
    for _ in range(3):
        method(ROWS, LOSSES)
    shares = method.shares.clone()
    present = torch.tensor([0, 2])
    direction = method(2 * ROWS[present], LOSSES[present], present)
    assert method.shares[1] == shares[1]
    assert float(method.shares.sum()) == pytest.approx(1, abs=1e-12)
    weights = method.shares[present] / method.shares[present].sum()
    torch.testing.assert_close(direction, weights @ method.memory[present])
    alone = torch.tensor([1])
    torch.testing.assert_close(method(ROWS[alone], LOSSES[alone], alone), method.memory[1])


def test_tasks_that_have_no_share_together_start_alike():
    method = bound_to(MoCo(beta=1.0, gamma=1e-9))
    method.shares.copy_(torch.tensor([1.0, 0.0, 0.0]))
    present = torch.tensor([1, 2])
    torch.testing.assert_close(method(ROWS[present], LOSSES[present], present), ROWS[present].mean(dim=0))
    assert method.shares.tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beta": 0.0}, r"beta must be in \(0, 1\], got 0.0"),
        ({"beta": 1.5}, r"beta must be in \(0, 1\], got 1.5"),
        ({"gamma": 0.0}, r"gamma must be in \(0, inf\), got 0.0"),
        ({"rho": -0.1}, r"rho must be in \[0, inf\), got -0.1"),
        ({"rho": float("nan")}, r"rho must be in \[0, inf\), got nan"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        MoCo(**arguments)


def state_of(**arguments):
    method = bound_to(MoCo(**arguments))
    method(ROWS, LOSSES)
    return method.state_dict()


def test_a_state_of_the_papers_step_is_refused_by_the_other_and_the_other_way_round():
    for relative in (False, True):
        with pytest.raises(ValueError, match=rf"state .* MoCo\(relative={relative}\).*relative={relative}"):
            bound_to(MoCo(relative=not relative)).load_state_dict(state_of(relative=relative))
        bound_to(MoCo(relative=relative)).load_state_dict(state_of(relative=relative))


def test_a_state_from_before_there_were_two_steps_loads_with_a_warning_into_the_default_and_without_into_the_papers():
    old = state_of(gamma=0.1, rho=0.1, relative=False)
    del old["is_relative"]
    with pytest.warns(UserWarning, match=r"MoCo\(gamma=0\.1, rho=0\.1, relative=False\)"):
        bound_to(MoCo()).load_state_dict(old)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bound_to(MoCo(gamma=0.1, rho=0.1, relative=False)).load_state_dict(old)
