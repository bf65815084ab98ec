"""LBTW, IGB and STCHMTL: what they keep from epoch to epoch."""

import math

import pytest
import torch
from driving import bound, weights_of

import equipoise as eq
from equipoise.testing import check_method
from equipoise.weighting.epoch_mean import EpochMean
from equipoise.weighting.igb import IGB
from equipoise.weighting.lbtw import LBTW
from equipoise.weighting.log_sum import LogSum
from equipoise.weighting.stch_mtl import STCHMTL


@pytest.mark.parametrize(
    "make", [LBTW, IGB, lambda: IGB(0), STCHMTL, lambda: STCHMTL(0.3, warmup=0), lambda: LBTW(2.0)]
)
def test_laws(make):
    check_method(make)


def test_epoch_mean():
    mean = EpochMean(3)
    mean.add(torch.tensor([1.0, 4.0]), torch.tensor([0, 1]))
    mean.add(torch.tensor([3.0, math.inf]), torch.tensor([0, 1]))
    torch.testing.assert_close(mean.take(), torch.tensor([2.0, 4.0, math.nan]), equal_nan=True)
    mean.add(torch.tensor([7.0]), torch.tensor([2]))
    torch.testing.assert_close(mean.take(), torch.tensor([math.nan, math.nan, 7.0]), equal_nan=True)


# LBTW


@pytest.mark.parametrize("alpha", [0.0, 0.5, 2.0])
def test_lbtw_weights_are_powers_of_what_is_left_of_the_epochs_first_loss(alpha):
    method = bound(LBTW(alpha), 2)
    assert weights_of(method, [4.0], [0]) == [1.0]
    assert weights_of(method, [1.0, 8.0]) == pytest.approx([0.25**alpha, 1.0])
    assert weights_of(method, [6.0, 2.0]) == pytest.approx([1.5**alpha, 0.25**alpha])
    method.end_epoch()
    assert weights_of(method, [2.0, 2.0]) == [1.0, 1.0]
    assert weights_of(method, [1.0, 4.0]) == pytest.approx([0.5**alpha, 2.0**alpha])


def test_lbtw_start_is_finite_and_a_start_of_zero_gives_no_ratio():
    method = bound(LBTW(), 2)
    method(torch.tensor([math.nan, 0.0]))
    assert weights_of(method, [4.0, 3.0]) == [1.0, 1.0]
    assert weights_of(method, [1.0, 3.0]) == [0.5, 1.0]


def test_lbtw_errors():
    with pytest.raises(ValueError, match=r"alpha must be in \[0, inf\], got -1"):
        LBTW(-1)
    with pytest.raises(ValueError, match="got -1 for task 1"):
        bound(LBTW(), 2)(torch.tensor([1.0, -1.0]))


# IGB


def igb_weights(losses, base):
    exps = [math.exp(loss / b) for loss, b in zip(losses, base, strict=True)]
    return pytest.approx([len(losses) * e / sum(exps) / loss for e, loss in zip(exps, losses, strict=True)], rel=1e-5)


@pytest.mark.parametrize("base_epoch", [0, 1, 3])
def test_igb_is_log_sum_until_the_base_is_known_and_then_favours_the_widest_gap(base_epoch):
    method = bound(IGB(base_epoch))
    for _ in range(base_epoch):
        assert weights_of(method, [9.0, 9.0, 9.0]) == pytest.approx([1 / 9] * 3)
        method.end_epoch()
    for losses in ([4.0, 1.0, 8.0], [2.0, 3.0, 8.0]):
        assert weights_of(method, losses) == pytest.approx(weights_of(bound(LogSum()), losses))
    method.end_epoch()  # means 3, 2, 8
    assert weights_of(method, [1.5, 4.0, 2.0]) == igb_weights([1.5, 4.0, 2.0], [3.0, 2.0, 8.0])
    method.end_epoch()
    assert weights_of(method, [1.0, 1.0, 1.0]) == igb_weights([1.0, 1.0, 1.0], [3.0, 2.0, 8.0])


def test_igb_gives_a_task_absent_in_that_epoch_the_base_of_a_later_one():
    method = bound(IGB(0), 2)
    weights_of(method, [4.0], [0])
    method.end_epoch()
    assert weights_of(method, [2.0, 6.0]) == igb_weights([2.0, 6.0], [4.0, 6.0])  # no base yet: a ratio of 1
    method.end_epoch()
    assert weights_of(method, [2.0, 3.0]) == igb_weights([2.0, 3.0], [4.0, 6.0])


@pytest.mark.parametrize("method", [IGB, LogSum])
def test_igb_users_weight_multiplies_the_log(method):
    losses = torch.nn.Parameter(torch.tensor([2.0, 5.0]))
    balancer = eq.Balancer(method(), [losses], tasks={"a": 3.0, "b": 1.0})
    a, b = losses
    balancer({"a": a, "b": b}).backward()
    assert losses.grad.tolist() == pytest.approx([3 / 2, 1 / 5])


# STCH-MTL


def stch_weights(losses, nadir, mu):
    powers = [(loss / n) ** (1 / mu) for loss, n in zip(losses, nadir, strict=True)]
    return pytest.approx(
        [len(losses) * p / sum(powers) / loss for p, loss in zip(powers, losses, strict=True)], rel=1e-5
    )


@pytest.mark.parametrize("mu", [1.0, 0.2])
def test_stch_mtl_is_log_sum_until_the_nadir_is_known(mu):
    method = bound(STCHMTL(mu, warmup=1))
    for epoch in ([[9.0, 9.0, 9.0]], [[4.0, 1.0, 8.0], [2.0, 3.0, 8.0]]):
        for losses in epoch:
            assert weights_of(method, losses) == pytest.approx(weights_of(bound(LogSum()), losses))
        method.end_epoch()
    nadir = [3.0, 2.0, 8.0]
    for losses in ([1.5, 4.0, 2.0], [1.0, 1.0, 1.0]):
        assert weights_of(method, losses) == stch_weights(losses, nadir, mu)
        powers = [(loss / n) ** (1 / mu) for loss, n in zip(losses, nadir, strict=True)]
        assert method(torch.tensor(losses)).item() == pytest.approx(3 * mu * math.log(sum(powers)), rel=1e-5)
        method.end_epoch()


def test_stch_mtl_a_task_absent_in_that_epoch_finds_its_nadir_later():
    method = bound(STCHMTL(warmup=0), 2)
    weights_of(method, [4.0], [0])
    method.end_epoch()
    assert weights_of(method, [2.0, 6.0]) == stch_weights([2.0, 6.0], [4.0, 6.0], 1.0)
    method.end_epoch()
    assert weights_of(method, [2.0, 3.0]) == stch_weights([2.0, 3.0], [4.0, 6.0], 1.0)


def test_igb_and_stch_mtl_errors():
    with pytest.raises(ValueError, match=r"mu must be in \(0, inf\], got 0"):
        STCHMTL(0)
    with pytest.raises(ValueError, match=r"warmup must be in \[0, inf\], got -1"):
        STCHMTL(warmup=-1)
    with pytest.raises(ValueError, match=r"base_epoch must be in \[0, inf\], got -1"):
        IGB(-1)
    for make in (STCHMTL, IGB):
        with pytest.raises(ValueError, match="needs positive losses, got 0 for task 1"):
            bound(make(), 2)(torch.tensor([1.0, 0.0]))
