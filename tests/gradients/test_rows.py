"""The row buffer: exact gramians over the whole range of floats, no growth, no stale rows."""

import pytest
import torch
from torch.testing import assert_close

from equipoise.gradients.rows import Rows

SHAPES = [(3, 700), (5,), (), (1025,)]


def filled(scale=1.0, num_rows=3, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    tensors = [torch.zeros(shape, dtype=dtype) for shape in SHAPES]
    gradients = [
        [(torch.randn(s, generator=generator, dtype=torch.float64) * scale).to(dtype) for s in SHAPES]
        for _ in range(num_rows)
    ]
    rows = Rows()
    rows.prepare(tensors, num_rows)
    for k, row in enumerate(gradients):
        rows.write(k, row)
    jacobian = torch.stack([torch.cat([g.double().flatten() for g in row]) for row in gradients])
    return rows, tensors, jacobian


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e-12, 1.0, 1e12, 1e15, 1e25])
def test_the_gramian_neither_vanishes_nor_overflows(scale):
    rows, _, jacobian = filled(scale)
    (gramian,) = rows.gramian(3)
    assert_close(gramian, jacobian @ jacobian.T, rtol=1e-6, atol=1e-6 * float((jacobian**2).sum()))
    assert gramian.dtype == torch.float64


def test_rows_of_very_different_scales_keep_their_digits():
    rows, tensors, _ = filled()
    rows.write(0, [torch.full_like(t, 1e-22) for t in tensors])
    rows.write(1, [torch.full_like(t, 1e18) for t in tensors])
    (gramian,) = rows.gramian(3)
    width = sum(t.numel() for t in tensors)
    assert_close(gramian[0, 0].item(), 1e-44 * width, rtol=1e-6, atol=0)
    assert_close(gramian[0, 1].item(), 1e-4 * width, rtol=1e-6, atol=0)


def test_long_sums_keep_float64_accuracy():
    rows = Rows()
    big = torch.rand(1_500_000, generator=torch.Generator().manual_seed(1)) + 0.5
    rows.prepare([big], 2)
    rows.write(0, [big])
    rows.write(1, [big.flip(0)])
    (gramian,) = rows.gramian(2)
    exact = torch.stack([big, big.flip(0)]).double()
    assert_close(gramian, exact @ exact.T, rtol=4e-8, atol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_precisions_are_summed_in_float64(dtype):
    rows, _, jacobian = filled(dtype=dtype)
    (gramian,) = rows.gramian(3)
    assert_close(gramian, jacobian @ jacobian.T, rtol=1e-12, atol=1e-12 * float(gramian.trace()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_combine_is_the_weighted_sum_of_the_rows(dtype):
    rows, tensors, jacobian = filled(dtype=dtype)
    weights = torch.tensor([0.3, -1.7, 2.9], dtype=torch.float64)
    combined = torch.cat([g.flatten() for g in rows.combine(weights)])
    assert_close(combined, (weights @ jacobian).to(dtype), rtol=1.6e-2 if dtype == torch.bfloat16 else 1e-5, atol=1e-5)
    assert [g.shape for g in rows.combine(weights)] == [t.shape for t in tensors]


def test_the_low_matmul_precision_of_a_user_does_not_reach_the_gramian():
    rows, _, jacobian = filled()
    torch.set_float32_matmul_precision("medium")
    try:
        (gramian,) = rows.gramian(3)
    finally:
        torch.set_float32_matmul_precision("highest")
    assert_close(gramian, jacobian @ jacobian.T, rtol=1e-10, atol=1e-10 * float(gramian.trace()))


def test_many_rows_give_every_pair():
    rows, _, jacobian = filled(num_rows=30)
    (gramian,) = rows.gramian(30)
    assert_close(gramian, jacobian @ jacobian.T, rtol=1e-6, atol=1e-6 * float((jacobian**2).sum()))


def test_gradients_that_nearly_cancel_are_multiplied_in_float64():
    """What is left of g - g' must not drown in the rounding of g · g'."""
    rows, tensors, _ = filled()
    generator = torch.Generator().manual_seed(2)
    one = [torch.randn(shape, generator=generator) for shape in SHAPES]
    other = [-g + 1e-5 * torch.randn(g.shape, generator=generator) for g in one]
    rows.prepare(tensors, 2)
    for k, row in enumerate((one, other)):
        rows.write(k, row)
    (gramian,) = rows.gramian(2)
    left = torch.cat([(g.double() + h.double()).flatten() for g, h in zip(one, other, strict=True)])
    assert_close(gramian.sum(), left @ left, rtol=1e-3, atol=0)


def test_a_room_that_fits_is_kept_and_a_missing_gradient_is_a_zero():
    rows, tensors, _ = filled()
    before = rows.jacobian(3).data_ptr()
    rows.prepare(tensors, 2)
    assert rows.jacobian(2).data_ptr() == before
    rows.write(0, [None] * len(tensors))
    assert rows.gramian(2)[0][0].abs().sum() == 0


def test_extras_come_with_the_same_copy():
    rows, _, _ = filled()
    _, scalar, vector = rows.gramian(3, torch.tensor(2.0), torch.arange(3))
    assert scalar.item() == 2.0
    assert vector.tolist() == [0.0, 1.0, 2.0]


def test_two_dtypes_add_up_and_have_no_single_jacobian():
    rows = Rows()
    rows.prepare([torch.zeros(2), torch.zeros(2, dtype=torch.float64)], 1)
    rows.write(0, [torch.ones(2), torch.ones(2, dtype=torch.float64)])
    assert rows.gramian(1)[0].item() == 4.0
    with pytest.raises(ValueError, match="one dtype"):
        rows.jacobian(1)


def test_sparse_gradients_are_refused():
    rows = Rows()
    rows.prepare([torch.zeros(2, 2)], 1)
    with pytest.raises(ValueError, match="sparse=False"):
        rows.write(0, [torch.eye(2).to_sparse()])
