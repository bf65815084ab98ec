import math

import pytest
import torch

from equipoise.aggregation.excess_mtl import ExcessMTL
from equipoise.testing import check_method

F64 = torch.float64
ROWS = torch.randn(3, 6, generator=torch.Generator().manual_seed(0), dtype=F64)
LOSSES = torch.ones(3, dtype=F64)


def bound(method, num_tasks=3):
    method.bind(num_tasks)
    return method


def algorithm(steps, step_size, warmup):
    """Eqs. (6), (7), (9) with relative excess risks, entry by entry, for tasks that are always present."""
    count, width = steps[0].shape
    squares = [[0.0] * width for _ in range(count)]
    weights, collected = [1 / count] * count, [[] for _ in range(count)]
    for number, rows in enumerate(steps):
        excess = []
        for k, row in enumerate(rows.tolist()):
            squares[k] = [s + g * g for s, g in zip(squares[k], row, strict=True)]
            excess.append(sum(g * g / math.sqrt(s) for s, g in zip(squares[k], row, strict=True)))
        if number < warmup:
            for k in range(count):
                collected[k].append(excess[k])
        else:
            initial = [sum(values) / warmup for values in collected]
            grown = [weights[k] * math.exp(step_size * excess[k] / initial[k]) for k in range(count)]
            weights = [w / sum(grown) for w in grown]
        yield torch.tensor(weights, dtype=F64)


def steps_of(count):
    generator = torch.Generator().manual_seed(1)
    return [ROWS / (n + 1) + torch.randn(3, 6, generator=generator, dtype=F64) for n in range(count)]


@pytest.mark.parametrize("make", [ExcessMTL, lambda: ExcessMTL(1.0, 2)])
def test_laws(make):
    check_method(make)


@pytest.mark.parametrize(("step_size", "warmup"), [(0.01, 1), (1.0, 1), (2.0, 3)])
def test_it_is_the_algorithm(step_size, warmup):
    steps = steps_of(10)
    method = bound(ExcessMTL(step_size, warmup))
    for rows, weights in zip(steps, algorithm(steps, step_size, warmup), strict=True):
        torch.testing.assert_close(method(rows, LOSSES), weights @ rows)
        torch.testing.assert_close(method.log_weights.exp(), weights)


def test_by_hand():
    # One coordinate: e_0 = |g|. Then g = (3, 4) after (4, 3): e = 9 / 5 and 16 / 5, relative 9/20 and 16/15
    method = bound(ExcessMTL(step_size=1.0), 2)
    first, second = torch.tensor([[4.0], [3.0]], dtype=F64), torch.tensor([[3.0], [4.0]], dtype=F64)
    assert float(method(first, LOSSES[:2])) == pytest.approx(3.5)
    share = 1 / (1 + math.exp(16 / 15 - 9 / 20))
    assert float(method(second, LOSSES[:2])) == pytest.approx(3 * share + 4 * (1 - share))


@pytest.mark.parametrize("scales", [[1e3, 1.0, 1e-3], [1e9, 1e-9, 1.0]])
def test_weights_do_not_depend_on_the_scale_of_a_loss(scales):
    factors = torch.tensor(scales, dtype=F64)[:, None]
    plain, scaled = bound(ExcessMTL(1.0)), bound(ExcessMTL(1.0))
    for rows in steps_of(6):
        plain(rows, LOSSES)
        scaled(factors * rows, LOSSES)
    torch.testing.assert_close(scaled.log_weights, plain.log_weights)
    assert float(plain.log_weights.std()) > 0.01


def test_a_task_that_stays_away_from_convergence_gains():
    method = bound(ExcessMTL(1.0))
    for n in range(1, 20):
        method(ROWS * torch.tensor([[1.0], [1 / n], [0.0 if n > 1 else 1.0]], dtype=F64), LOSSES)
    first, second, third = method.log_weights.exp().tolist()
    assert first > second > third


def test_a_burst_saturates():
    method = bound(ExcessMTL(1.0))
    method(ROWS, LOSSES)
    burst = ROWS * torch.tensor([[1.0], [1e12], [1.0]], dtype=F64)
    torch.testing.assert_close(method(burst, LOSSES), burst[1])
    assert method(ROWS, LOSSES).isfinite().all()


def test_zero_gradients_warm_nothing_up():
    method = bound(ExcessMTL(1.0))
    rows = ROWS.clone()
    rows[2] = 0
    torch.testing.assert_close(method(rows, LOSSES), rows.mean(dim=0))
    torch.testing.assert_close(method(rows, LOSSES).isfinite().all(), torch.tensor(True))
    assert method.steps.tolist() == [1, 1, 0]
    method(ROWS, LOSSES)
    assert method.steps.tolist() == [1, 1, 1]


def test_absent_tasks_keep_their_share():
    method = bound(ExcessMTL(1.0))
    for rows in steps_of(3):
        method(rows, LOSSES)
    before = method.log_weights.clone()
    present = torch.tensor([0, 2])
    gradient = method(ROWS[present], LOSSES[present], present)
    assert method.log_weights[1] == before[1]
    assert float(method.log_weights.exp().sum()) == pytest.approx(1, abs=1e-12)
    shares = method.log_weights[present].softmax(dim=0)
    torch.testing.assert_close(gradient, shares @ ROWS[present])
    alone = torch.tensor([1])
    torch.testing.assert_close(method(ROWS[alone], LOSSES[alone], alone), ROWS[1])


def test_squares_beyond_single_precision():
    plain, extreme = bound(ExcessMTL(1.0), 2), bound(ExcessMTL(1.0), 2)
    rows = torch.tensor([[1.0, 2.0], [1.0, 3.0]])
    for change in (1.0, 0.5, 3.0):
        plain(rows * torch.tensor([[1.0], [change]]), torch.ones(2))
        extreme(rows * torch.tensor([[1e-30], [1e30 * change]]), torch.ones(2))
    torch.testing.assert_close(extreme.log_weights, plain.log_weights, rtol=1e-5, atol=0)
    assert float(plain.log_weights.std()) > 0.01


def test_refuses():
    with pytest.raises(ValueError, match=r"step_size must be in \(0, inf\), got 0"):
        ExcessMTL(0)
    with pytest.raises(ValueError, match=r"warmup must be in \[1, inf\], got 0"):
        ExcessMTL(warmup=0)
