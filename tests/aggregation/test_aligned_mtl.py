import numpy as np
import pytest
import torch

from equipoise.aggregation.aligned_mtl import AlignedMTL
from equipoise.testing import check_method

F64 = torch.float64
SCALES = ("min", "median", "rmse")


def rows_of(k, columns, rng, spread=0.0):
    return torch.from_numpy(rng.standard_normal((k, columns)) * np.exp(rng.uniform(-spread, spread, (k, 1))))


def weights_of(rows, method=None):
    return (method or AlignedMTL())(rows @ rows.T, torch.ones(len(rows), dtype=F64))


def naive(rows, scale, power):
    """On the rows, by their own singular value decomposition: sum_k p_k (s V U^T)_k."""
    left, singular, right = torch.linalg.svd(rows, full_matrices=False)
    chosen = {"min": singular.min(), "median": singular.median(), "rmse": singular.square().mean().sqrt()}[scale]
    return power @ (chosen * left @ right)


@pytest.mark.parametrize("scale", SCALES)
def test_the_laws_hold(scale):
    check_method(lambda: AlignedMTL(scale))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("k", [1, 2, 3, 4, 9, 20])
def test_it_is_the_sum_of_the_nearest_orthogonal_gradients(k, scale):
    rng = np.random.default_rng(k)
    for spread in (0.0, 4.0):
        rows = rows_of(k, 2 * k, rng, spread)
        method = AlignedMTL(scale)
        expected = naive(rows, scale, torch.ones(k, dtype=F64))
        torch.testing.assert_close(weights_of(rows, method) @ rows, expected, rtol=1e-7, atol=1e-7)
        assert method.unsolved == 0


def test_orthogonal_gradients_take_the_shortest_length():
    rows = torch.diag(torch.tensor([3.0, 0.5, 20.0], dtype=F64))
    torch.testing.assert_close(weights_of(rows) @ rows, torch.full((3,), 0.5, dtype=F64))
    torch.testing.assert_close(weights_of(rows, AlignedMTL("median")) @ rows, torch.full((3,), 3.0, dtype=F64))


def test_a_users_weight_is_the_papers_task_weight():
    raw, power = rows_of(3, 8, np.random.default_rng(0)), torch.tensor([1.0, 4.0, 0.5], dtype=F64)
    method = AlignedMTL()
    method.prefer(power)
    rows = power[:, None] * raw  # as the losses are shown
    torch.testing.assert_close(weights_of(rows, method) @ rows, naive(raw, "min", power))


def test_a_zero_gradient_is_left_out_and_keeps_weight_one():
    rows = rows_of(3, 6, np.random.default_rng(1))
    rows[1] = 0
    weights = weights_of(rows)
    assert weights[1] == 1
    torch.testing.assert_close(weights[[0, 2]], weights_of(rows[[0, 2]]))
    assert weights_of(torch.zeros(2, 3, dtype=F64)).tolist() == [1.0, 1.0]


def test_gradients_too_unequal_to_align_are_counted():
    method = AlignedMTL()
    weights_of(torch.tensor([[1.0, 0.0], [0.6e-20, 0.8e-20]], dtype=F64), method)
    assert method.unsolved == 1


def test_an_unknown_scale_is_refused():
    with pytest.raises(ValueError, match="scale must be 'min', 'median' or 'rmse', got 'max'"):
        AlignedMTL("max")
