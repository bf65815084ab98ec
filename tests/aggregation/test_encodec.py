import pytest
import torch

from equipoise.aggregation.encodec import EnCodec
from equipoise.testing import check_method

F64 = torch.float64
NORMS = torch.tensor([5.0, 1.0, 0.1], dtype=F64)
ROWS = torch.diag(NORMS)


def bound(method, power=None):
    method.bind(3)
    if power is not None:
        method.prefer(torch.tensor(power, dtype=F64))
    return method


def weights_of(method, rows=ROWS, tasks=None):
    return method(rows @ rows.T, torch.ones(len(rows), dtype=F64), tasks)


class Averager:
    """The official code's moving average: decayed sum of values over decayed count."""

    def __init__(self, beta):
        self.beta, self.total, self.count = beta, 0.0, 0.0

    def __call__(self, value):
        self.total, self.count = self.beta * self.total + value, self.beta * self.count + 1
        return self.total / self.count


@pytest.mark.parametrize("make", [EnCodec, lambda: EnCodec(norm=3.0, beta=0.5)])
def test_the_laws_hold(make):
    check_method(make)


@pytest.mark.parametrize("norm", [1.0, 4.0])
def test_a_users_weight_is_its_tasks_fraction_of_the_gradient(norm):
    power = torch.tensor([2.0, 1.0, 5.0], dtype=F64)
    shown = power[:, None] * ROWS
    weights = weights_of(bound(EnCodec(norm), power.tolist()), shown)
    torch.testing.assert_close(weights @ shown, norm * power / 8)  # unit gradients are the axes


def test_the_norms_are_the_official_moving_averages():
    method, averagers = bound(EnCodec(beta=0.9)), [Averager(0.9) for _ in NORMS]
    for factor in (1.0, 30.0, 0.2, 5.0):
        means = torch.tensor([average(float(n)) for average, n in zip(averagers, factor * NORMS, strict=True)])
        torch.testing.assert_close(weights_of(method, factor * ROWS), 1 / (3 * means.double()), rtol=1e-6, atol=0)


def test_present_tasks_share_the_whole():
    method = bound(EnCodec(), [2.0, 1.0, 5.0])
    present = torch.tensor([0, 2])
    shown = torch.tensor([[2.0], [5.0]], dtype=F64) * ROWS[present]
    torch.testing.assert_close(weights_of(method, shown, present) @ shown, torch.tensor([2 / 7, 0.0, 5 / 7], dtype=F64))
    assert method.steps.tolist() == [1, 0, 1]


@pytest.mark.parametrize("norm", [0.0, float("inf"), float("nan")])
def test_bad_norms_are_refused(norm):
    with pytest.raises(ValueError, match=r"norm must be in \(0, inf\), got"):
        EnCodec(norm)


def test_a_bad_beta_is_refused():
    with pytest.raises(ValueError, match=r"beta must be in \[0, 1\), got 1.0"):
        EnCodec(beta=1.0)
