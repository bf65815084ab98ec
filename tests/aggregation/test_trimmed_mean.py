import pytest
import torch

from equipoise.aggregation.median import Median
from equipoise.aggregation.trimmed_mean import TrimmedMean
from equipoise.testing import check_method

F64 = torch.float64
ROWS = torch.randn(7, 50, generator=torch.Generator().manual_seed(0), dtype=F64)
LOSSES = torch.ones(7, dtype=F64)


def bound(method, num_tasks=7):
    method.bind(num_tasks)
    return method


@pytest.mark.parametrize("trim", [0, 1, 2])
def test_laws(trim):
    check_method(lambda: TrimmedMean(trim))


@pytest.mark.parametrize("trim", [0, 1, 2, 3])
def test_it_is_the_mean_of_what_is_left(trim):
    gradient = bound(TrimmedMean(trim))(ROWS, LOSSES)
    for value, column in zip(gradient, ROWS.T.tolist(), strict=True):
        left = sorted(column)[trim : 7 - trim]
        assert float(value) == pytest.approx(sum(left) / len(left), abs=1e-12)


def test_by_hand():
    rows = torch.tensor([[1.0, -9.0], [2.0, 1.0], [100.0, 2.0], [3.0, 3.0]], dtype=F64)
    assert bound(TrimmedMean(), 4)(rows, LOSSES[:4]).tolist() == [2.5, 1.5]


def test_one_wild_task_of_five_moves_nothing_beyond_the_others():
    rows = ROWS[:5].clone()
    rows[2] = 1e12
    gradient = bound(TrimmedMean(), 5)(rows, LOSSES[:5])
    others = rows[[0, 1, 3, 4]]
    assert (gradient >= others.min(dim=0).values).all()
    assert (gradient <= others.max(dim=0).values).all()


def test_equal_gradients_give_that_gradient():
    torch.testing.assert_close(bound(TrimmedMean())(ROWS[:1].expand(7, -1), LOSSES), ROWS[0])


def test_trimming_all_it_can_is_the_median():
    for count in (1, 2, 5, 6):
        present = torch.arange(count)
        shown = ROWS[present], LOSSES[present], present
        torch.testing.assert_close(bound(TrimmedMean(3))(*shown), bound(Median())(*shown))


def test_refuses():
    with pytest.raises(ValueError, match=r"trim must be a whole number, 0 or more, got -1"):
        TrimmedMean(-1)
    with pytest.raises(ValueError, match="trim=2 leaves none of 4 tasks"):
        bound(TrimmedMean(2), 4)
