import pytest
import torch

from equipoise.aggregation.db_mtl import DBMTL
from equipoise.aggregation.max_norm import MaxNorm
from equipoise.chain import Chain
from equipoise.testing import check_method
from equipoise.weighting.log_sum import LogSum

F64 = torch.float64


def bound(method, num_tasks=3):
    method.bind(num_tasks)
    return method


def steps(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        scale = torch.tensor([[1e-3], [1.0], [1e3]], dtype=F64)
        yield (
            scale * torch.randn(3, 6, generator=generator, dtype=F64),
            torch.rand(3, generator=generator).double() + 0.1,
        )


@pytest.mark.parametrize("make", [DBMTL, lambda: DBMTL(0.5, 0.5), lambda: DBMTL(0.0)])
def test_the_laws_hold(make):
    check_method(make)


@pytest.mark.parametrize(("beta", "decay"), [(0.9, 0.0), (0.5, 0.0), (0.9, 0.5)])
def test_it_is_algorithm_1(beta, decay):
    method, mean = bound(DBMTL(beta, decay)), torch.zeros(3, 6, dtype=F64)
    for k, (rows, losses) in enumerate(steps(20), start=1):
        theta = torch.zeros(6, dtype=F64, requires_grad=True)
        logs = [torch.log(loss + row @ theta) for row, loss in zip(rows, losses, strict=True)]
        logged = torch.stack([torch.autograd.grad(value, theta)[0] for value in logs])
        kept = beta / k**decay
        mean = kept * mean + (1 - kept) * logged
        norms = mean.norm(dim=1, keepdim=True)
        torch.testing.assert_close(method(rows, losses), norms.max() * (mean / norms).sum(dim=0))


def test_without_the_average_it_is_max_norm_of_the_log_losses():
    method = bound(DBMTL(beta=0.0))
    for rows, losses in steps(5):
        expected = Chain(LogSum(), MaxNorm())(rows @ rows.T, losses) @ rows
        torch.testing.assert_close(method(rows, losses), expected)


def test_no_loss_scale_matters():
    plain, scaled = bound(DBMTL()), bound(DBMTL())
    factors = torch.tensor([1e9, 1.0, 1e-9], dtype=F64)
    for rows, losses in steps(5):
        torch.testing.assert_close(scaled(factors[:, None] * rows, factors * losses), plain(rows, losses))


def test_an_absent_task_keeps_its_average_and_its_count():
    method = bound(DBMTL(0.5, 1.0))
    (rows, losses), (more, _) = steps(2)
    method(rows, losses)
    before = method.memory.clone()
    method(more[[0, 2]], losses[[0, 2]], torch.tensor([0, 2]))
    assert torch.equal(method.memory[1], before[1])
    assert not torch.equal(method.memory[0], before[0])
    assert method.steps.tolist() == [2, 1, 2]


def test_a_saved_state_brings_its_width():
    method, fresh = bound(DBMTL()), bound(DBMTL())
    first, second = steps(2)
    method(*first)
    fresh.load_state_dict(method.state_dict())
    assert torch.equal(method(*second), fresh(*second))


def test_a_loss_of_zero_counts_as_one_and_one_below_is_refused():
    rows, _ = next(steps(1))
    rows[0] = 0  # as at a minimum
    gradient = bound(DBMTL(0.0))(rows, torch.tensor([0.0, 1.0, 1.0], dtype=F64))
    assert gradient.isfinite().all()
    with pytest.raises(ValueError, match=r"DBMTL\(\) takes the logarithm of losses: they must be positive, got \[-1"):
        bound(DBMTL())(rows, torch.tensor([-1.0, 1.0, 1.0], dtype=F64))


def test_bad_arguments_are_refused():
    for beta in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match=r"beta must be in \[0, 1\), got"):
            DBMTL(beta)
    for decay in (-1.0, float("nan")):
        with pytest.raises(ValueError, match=r"decay must be in \[0, inf\), got"):
            DBMTL(decay=decay)
