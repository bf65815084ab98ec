"""The jacobian by rows: exact gramians over the whole range of floats, no growth, no stale rows."""

import pytest
import torch
from torch.testing import assert_close

import equipoise as eq
from equipoise.gradients.jacobian import Jacobian

SHAPES = [(3, 700), (5,), (), (33_793,)]
FEW = [(3, 700), (5,), (), (1025,)]  # numbers that are multiplied in float64


def write(jacobian, row, gradients):
    jacobian.write(range(row, row + 1), [None if g is None else g.unsqueeze(0) for g in gradients])


def filled(scale=1.0, num_rows=3, dtype=torch.float32, shapes=SHAPES):
    generator = torch.Generator().manual_seed(0)
    tensors = [torch.zeros(shape, dtype=dtype) for shape in shapes]
    gradients = [
        [(torch.randn(s, generator=generator, dtype=torch.float64) * scale).to(dtype) for s in shapes]
        for _ in range(num_rows)
    ]
    rows = Jacobian()
    rows.prepare(tensors, num_rows)
    for k, row in enumerate(gradients):
        write(rows, k, row)
    jacobian = torch.stack([torch.cat([g.double().flatten() for g in row]) for row in gradients])
    return rows, tensors, jacobian


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e-12, 1.0, 1e12, 1e15, 1e25])
@pytest.mark.parametrize(("shapes", "error"), [(SHAPES, 1e-6), (FEW, 1e-12)])
def test_the_gramian_neither_vanishes_nor_overflows(scale, shapes, error):
    rows, _, jacobian = filled(scale, shapes=shapes)
    (gramian,) = rows.gramian(3)
    assert_close(gramian, jacobian @ jacobian.T, rtol=error, atol=error * float((jacobian**2).sum()))
    assert gramian.dtype == torch.float64


def test_rows_of_very_different_scales_keep_their_digits():
    rows, tensors, _ = filled()
    write(rows, 0, [torch.full_like(t, 1e-22) for t in tensors])
    write(rows, 1, [torch.full_like(t, 1e18) for t in tensors])
    (gramian,) = rows.gramian(3)
    width = sum(t.numel() for t in tensors)
    assert_close(gramian[0, 0].item(), 1e-44 * width, rtol=1e-6, atol=0)
    assert_close(gramian[0, 1].item(), 1e-4 * width, rtol=1e-6, atol=0)


def test_long_sums_keep_float64_accuracy():
    rows = Jacobian()
    big = torch.rand(1_500_000, generator=torch.Generator().manual_seed(1)) + 0.5
    rows.prepare([big], 2)
    write(rows, 0, [big])
    write(rows, 1, [big.flip(0)])
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
        write(rows, k, row)
    (gramian,) = rows.gramian(2)
    left = torch.cat([(g.double() + h.double()).flatten() for g, h in zip(one, other, strict=True)])
    assert_close(gramian.sum(), left @ left, rtol=1e-3, atol=0)


def test_a_room_that_fits_is_kept_and_a_missing_gradient_is_a_zero():
    rows, tensors, _ = filled()
    before = rows.rows(3).data_ptr()
    rows.prepare(tensors, 2)
    assert rows.rows(2).data_ptr() == before
    write(rows, 0, [None] * len(tensors))
    assert rows.gramian(2)[0][0].abs().sum() == 0


def test_extras_come_with_the_same_copy():
    rows, _, _ = filled()
    _, scalar, vector = rows.gramian(3, torch.tensor(2.0), torch.arange(3))
    assert scalar.item() == 2.0
    assert vector.tolist() == [0.0, 1.0, 2.0]


def test_two_dtypes_add_up_and_have_no_single_jacobian():
    rows = Jacobian()
    rows.prepare([torch.zeros(2), torch.zeros(2, dtype=torch.float64)], 1)
    write(rows, 0, [torch.ones(2), torch.ones(2, dtype=torch.float64)])
    assert rows.gramian(1)[0].item() == 4.0
    with pytest.raises(ValueError, match="one dtype"):
        rows.rows(1)


def test_sparse_gradients_are_refused():
    rows = Jacobian()
    rows.prepare([torch.zeros(2, 2)], 1)
    with pytest.raises(ValueError, match="sparse=False"):
        write(rows, 0, [torch.eye(2).to_sparse()])


class Watch(eq.Aggregator):
    def forward(self, gramian, losses, tasks):
        return torch.ones(len(gramian), dtype=gramian.dtype)


def by_factors(inputs, outputs, dtype=torch.float32, route="factored"):
    """The gramian of losses_k = <outputs_k, linear(inputs)>, and what it is in float64."""
    layer = torch.nn.Linear(inputs.shape[1], outputs.shape[2]).to(dtype)
    balancer = eq.Balancer(Watch(), layer, tasks=[str(k) for k in range(len(outputs))], route=route)
    y = layer(inputs.to(dtype))
    balancer({str(k): (y * b.to(dtype)).sum() for k, b in enumerate(outputs)}).backward()
    a, b = inputs.to(dtype).double(), outputs.to(dtype).double()
    rows = torch.cat([(b.mT @ a).flatten(1), b.sum(dim=1)], dim=1)
    return balancer.record.gramian, rows @ rows.T


def factors(num_rows=3, num_inputs=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(num_inputs, 5, generator=generator),
        torch.randn(num_rows, num_inputs, 4, generator=generator),
    )


@pytest.mark.parametrize(
    ("inside", "outside"), [(1e-22, 1e15), (1e22, 1e-20), (1e25, 1e-30), (1, 1e-20), (1, 1e15), (1e-10, 1), (1e12, 1)]
)
def test_factors_neither_vanish_nor_overflow(inside, outside):
    """Products of inputs may leave float32 though the gradients do not."""
    inputs, outputs = factors()
    gramian, expected = by_factors(inputs * inside, outputs * outside)
    assert_close(gramian, expected, rtol=1e-6, atol=1e-6 * float(expected.trace()))


def rows_of(losses, parameters):
    """J in float64, by plain autograd."""
    rows = [torch.autograd.grad(loss, parameters, retain_graph=True) for loss in losses]
    return torch.stack([torch.cat([gradient.double().flatten() for gradient in row]) for row in rows])


def test_factors_of_one_layer_do_not_vanish_beside_another():
    """Products of the first layer's inputs underflow in float32, those of the second do not; both count."""
    torch.manual_seed(0)
    net = torch.nn.ModuleList([torch.nn.Linear(5, 4, bias=False), torch.nn.Linear(5, 4, bias=False)])
    tiny, usual = torch.randn(6, 5) * 1e-24, torch.randn(6, 5)
    losses = {
        str(k): (net[0](tiny) * torch.randn(6, 4) * 1e18).sum() + (net[1](usual) * torch.randn(6, 4) * 1e-6).sum()
        for k in range(2)
    }
    jacobian = rows_of(losses.values(), list(net.parameters()))
    balancer = eq.Balancer(Watch(), net, tasks=list(losses), route="factored")
    balancer(losses).backward()
    assert_close(balancer.record.gramian, jacobian @ jacobian.T, rtol=1e-6, atol=0)


@pytest.mark.parametrize("offset", [0.0, 10.0, 100.0, 1000.0])
def test_factors_that_cancel_over_samples_keep_their_digits(offset):
    """Gradients of pairwise differences: inputs with an offset, outputs that sum to zero."""
    generator = torch.Generator().manual_seed(0)
    inputs, directions = torch.randn(16, 64, generator=generator) + offset, torch.randn(3, 64, generator=generator)
    outputs = torch.tensor([1.0, -1.0]).repeat(8)[None, :, None] * directions[:, None, :]
    gramian, expected = by_factors(inputs, outputs)
    assert_close(gramian, expected, rtol=1e-5, atol=1e-5 * float(expected.trace()))
    assert torch.equal(gramian, gramian.T)


def test_weights_beyond_float32_reach_factors():
    class Huge(eq.Aggregator):
        def forward(self, gramian, losses, tasks):
            return torch.full((len(gramian),), 1e40, dtype=gramian.dtype)

    inputs, outputs = factors()
    layer = torch.nn.Linear(5, 4)
    y = layer(inputs)
    balancer = eq.Balancer(Huge(), layer, tasks=["0", "1", "2"], route="factored")
    balancer({str(k): (y * b * 1e-30).sum() for k, b in enumerate(outputs)}).backward()
    expected = (outputs.sum(dim=0).double().mT @ inputs.double()) * 1e10
    assert_close(layer.weight.grad.double(), expected, rtol=1e-5, atol=0)


@pytest.mark.needs("seen_hooks")
def test_factors_of_gradients_that_nearly_cancel_are_multiplied_in_float64():
    inputs, outputs = factors(num_rows=2)
    outputs[1] = -outputs[0] + 1e-4 * outputs[1]
    gramian, expected = by_factors(inputs, outputs)
    assert_close(gramian.sum(), expected.sum(), rtol=1e-6, atol=0)


@pytest.mark.needs("seen_hooks")
@pytest.mark.parametrize("seed", range(8))
def test_a_gradient_that_cancels_to_zero_has_no_negative_square(seed):
    """On paper that of a is zero, which MGDA gives all weight; rounded, its square falls to either side."""
    torch.manual_seed(seed)
    linear, x, c = torch.nn.Linear(64, 64, bias=False).double(), torch.randn(4, 64).double(), torch.randn(64).double()
    balancer = eq.Balancer(eq.MGDA(), linear, tasks=["a", "b", "c"], route="factored")
    cancelled = (linear(torch.cat([x, 0.3 * x, -1.3 * x])) @ c).sum()
    balancer({"a": cancelled, "b": linear(x).square().mean(), "c": (linear(x) - 1).abs().mean()}).backward()
    assert (balancer.record.gramian.diagonal() >= 0).all()
    assert balancer.record.weights["a"] == pytest.approx(3, abs=1e-6)  # scale="sum"
    assert linear.weight.grad.abs().max() < 1e-6


@pytest.mark.needs("seen_hooks")
def test_the_low_matmul_precision_of_a_user_does_not_reach_the_factors():
    inputs, outputs = factors(num_inputs=64)
    torch.set_float32_matmul_precision("medium")
    try:
        gramian, expected = by_factors(inputs, outputs)
    finally:
        torch.set_float32_matmul_precision("highest")
    assert_close(gramian, expected, rtol=1e-10, atol=1e-10 * float(expected.trace()))


def test_many_positions_keep_their_digits():
    inputs, outputs = factors(num_inputs=3000)
    gramian, expected = by_factors(inputs + 1, outputs + 0.5)
    assert_close(gramian, expected, rtol=1e-6, atol=1e-6 * float(expected.trace()))


@pytest.mark.parametrize("where", ["inputs", "outputs"])
def test_a_number_that_is_not_finite_goes_through(where):
    inputs, outputs = factors()
    (inputs if where == "inputs" else outputs[1])[0, 0] = torch.inf
    layer = torch.nn.Linear(5, 4)
    balancer = eq.Balancer(Watch(), layer, tasks=["0", "1", "2"], route="factored")
    y = layer(inputs)
    balancer({str(k): (y * b).sum() for k, b in enumerate(outputs)}).backward()
    assert balancer.record.skipped
    assert not layer.weight.grad.isfinite().all()
