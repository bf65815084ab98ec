import pytest
import torch

from equipoise.aggregation import MGDA

F64 = torch.float64


def weights_of(rows):
    return MGDA()(rows @ rows.T, torch.ones(len(rows), dtype=F64))


def test_the_direction_descends_for_every_task_alike_or_better():
    # KKT: g_k . d >= |d|^2, with equality where the task has weight
    generator = torch.Generator().manual_seed(0)
    for k in (1, 2, 3, 7, 30):
        rows = torch.randn(k, 40, generator=generator, dtype=F64)
        weights = weights_of(rows)
        direction = weights @ rows
        surplus = rows @ direction - direction @ direction
        assert (weights >= 0).all()
        assert surplus.min() > -1e-11
        assert (weights * surplus).abs().max() < 1e-11


def test_two_rows_by_hand():
    # gamma = (g2 - g1) . g2 / |g1 - g2|^2 = 60 / 100
    rows = torch.tensor([[-4.0, 1.0, 1.0], [6.0, 1.0, 1.0]], dtype=F64)
    torch.testing.assert_close(weights_of(rows), torch.tensor([0.6, 0.4], dtype=F64))


def test_no_direction_where_the_gradients_cancel():
    rows = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, -3.0]], dtype=F64)
    assert (weights_of(rows) @ rows).norm() < 1e-12


@pytest.mark.parametrize("scale", [1e-20, 1e-12, 1e12, 1e15])
def test_a_common_scale_changes_nothing(scale):
    rows = torch.randn(6, 10, generator=torch.Generator().manual_seed(1), dtype=F64)
    torch.testing.assert_close(weights_of(scale * rows), weights_of(rows), rtol=1e-9, atol=1e-12)


def test_one_task_has_weight_one():
    assert weights_of(torch.tensor([[3.0, 4.0]], dtype=F64)).tolist() == [1.0]
    assert weights_of(torch.zeros(1, 2, dtype=F64)).tolist() == [1.0]
