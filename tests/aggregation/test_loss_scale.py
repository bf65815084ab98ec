import pytest
import torch

import equipoise as eq
from equipoise.aggregation.loss_norm import LossNorm
from equipoise.aggregation.loss_scale import LossScale
from equipoise.testing import check_method
from equipoise.testing.run import BATCHES, bound, run

F64 = torch.float64


def rows_of_logs(losses, parameters):
    return torch.stack([torch.autograd.grad(loss.log(), parameters, retain_graph=True)[0] for loss in losses])


def problem(seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(6, generator=generator, dtype=F64).requires_grad_()
    scales = torch.tensor([1e-3, 1.0, 5.0, 1e3], dtype=F64)
    losses = scales * (torch.randn(4, 6, generator=generator, dtype=F64) @ x).square() + 0.1 * scales
    rows = torch.stack([torch.autograd.grad(loss, x, retain_graph=True)[0] for loss in losses])
    return x, losses, rows


def test_it_keeps_the_laws():
    check_method(LossScale)
    check_method(lambda: eq.Chain(LossScale(), eq.MGDA()))


def test_scaled_rows_are_the_gradients_of_the_logarithms():
    x, losses, rows = problem()
    weights = LossScale()(rows @ rows.T, losses.detach())
    torch.testing.assert_close(weights[:, None] * rows, rows_of_logs(losses, x))


def test_an_aggregator_after_it_is_the_aggregator_of_log_losses():
    x, losses, rows = problem()
    logs = rows_of_logs(losses, x)
    chain = eq.Chain(LossScale(), eq.MGDA())
    direction = chain(rows @ rows.T, losses.detach()) @ rows
    torch.testing.assert_close(direction, eq.MGDA()(logs @ logs.T, losses.detach().log()) @ logs)


def test_a_users_weight_would_vanish_and_so_becomes_a_preference():
    _, losses, rows = problem()
    users = torch.tensor([1.0, 3.0, 0.5, 2.0], dtype=F64)
    for method, plain in ((LossScale(), LossScale()), (LossNorm(), LossNorm())):
        method.prefer(users)
        heavier = users[:, None] * rows
        scaled = method(heavier @ heavier.T, users * losses.detach())[:, None] * heavier
        expected = users[:, None] * plain(rows @ rows.T, losses.detach())[:, None] * rows
        torch.testing.assert_close(scaled, expected)


@pytest.mark.parametrize("kind", [LossScale, LossNorm])
def test_losses_without_a_logarithm_are_counted(kind):
    method = kind()
    gramian = torch.eye(3, dtype=F64)
    assert method(gramian, torch.tensor([2.0, 4.0, 1.0], dtype=F64)).tolist() == [0.5, 0.25, 1.0]
    assert method.unsolved == 0
    assert method(gramian, torch.tensor([2.0, -4.0, 0.0], dtype=F64)).tolist() == [0.5, 0.25, 1.0]
    assert method.unsolved == 1


# LossNorm


def test_loss_norm_keeps_the_laws_but_one():
    check_method(
        LossNorm, except_for={"is_homogeneous": "its rows have the length 1 / loss, so larger losses give shorter ones"}
    )


def test_loss_norm_is_of_degree_minus_one():
    plain = run(bound(LossNorm()))
    for scale in (2.0**-60, 2.0**40):
        for after, before in zip(run(bound(LossNorm()), [b.scaled(scale) for b in BATCHES]), plain, strict=True):
            torch.testing.assert_close(after * scale, before)


def test_loss_norm_makes_lengths_one_over_the_losses():
    _, losses, rows = problem()
    weights = LossNorm()(rows @ rows.T, losses.detach())
    torch.testing.assert_close((weights[:, None] * rows).norm(dim=1), 1 / losses.detach())


def test_a_zero_gradient_is_divided_by_its_loss_alone():
    rows = torch.tensor([[3.0, 4.0], [0.0, 0.0]], dtype=F64)
    weights = LossNorm()(rows @ rows.T, torch.tensor([2.0, 4.0], dtype=F64))
    assert weights.tolist() == pytest.approx([1 / 10, 1 / 4])


def test_mgda_after_it_prefers_the_larger_loss():
    rows = torch.tensor([[3.0, 0.0], [0.0, 0.2]], dtype=F64)
    weights = eq.Chain(LossNorm(), eq.MGDA())(rows @ rows.T, torch.tensor([1.0, 2.0], dtype=F64))
    # rows of lengths 1 and 1/2, at right angles: the shares are as 1/1 to 1/(1/2)^2, then divided by loss and length
    torch.testing.assert_close(weights, torch.tensor([0.2 / 3, 0.8 / 0.4], dtype=F64))
