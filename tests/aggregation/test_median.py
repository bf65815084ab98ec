import numpy as np
import pytest
import torch

from equipoise.aggregation.median import Median
from equipoise.testing import check_method

ROWS = torch.randn(8, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_laws():
    check_method(Median)


@pytest.mark.parametrize("count", range(1, 9))
def test_it_is_numpys(count):
    gradient = Median()(ROWS[:count], torch.ones(count, dtype=torch.float64))
    np.testing.assert_allclose(gradient.numpy(), np.median(ROWS[:count].numpy(), axis=0), atol=1e-15)


@pytest.mark.parametrize("count", [4, 5])
def test_opposite_gradients_give_the_opposite(count):
    losses = torch.ones(count, dtype=torch.float64)
    assert torch.equal(Median()(-ROWS[:count], losses), -Median()(ROWS[:count], losses))


def test_less_than_half_the_tasks_cannot_carry_it_away():
    rows = ROWS[:5].clone()
    rows[1:3] = 1e12
    gradient = Median()(rows, torch.ones(5, dtype=torch.float64))
    assert (gradient <= rows[[0, 3, 4]].max(dim=0).values).all()
