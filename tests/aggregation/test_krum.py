import pytest
import torch

from equipoise.aggregation.krum import Krum
from equipoise.testing import check_method

F64 = torch.float64


def bound(method, num_tasks):
    method.bind(num_tasks)
    return method


def scores_of(rows, byzantine):
    """Section 4 on the gradients themselves."""
    scores = []
    for i, row in enumerate(rows):
        distances = sorted(float((row - other).square().sum()) for j, other in enumerate(rows) if j != i)
        scores.append(sum(distances[: len(rows) - byzantine - 2]))
    return scores


def problems():
    generator = torch.Generator().manual_seed(0)
    for count, byzantine in ((3, 0), (5, 0), (5, 1), (9, 0), (9, 2), (11, 4)):
        for scale in (1e-12, 1.0, 1e12):
            for rank in (2, 30):
                mixing = torch.randn(count, rank, generator=generator, dtype=F64)
                yield byzantine, scale * mixing @ torch.randn(rank, 30, generator=generator, dtype=F64)


@pytest.mark.parametrize("make", [Krum, lambda: Krum(1), lambda: Krum(0, 3)])
def test_laws(make):
    check_method(make)


@pytest.mark.parametrize("selected", [1, 2, 3])
def test_the_selected_have_the_best_scores(selected):
    for byzantine, rows in problems():
        weights = bound(Krum(byzantine, selected), len(rows))(rows @ rows.T, torch.ones(len(rows), dtype=F64))
        best = sorted(range(len(rows)), key=scores_of(rows, byzantine).__getitem__)[:selected]
        assert weights.nonzero().flatten().tolist() == sorted(best)
        assert weights[best].tolist() == pytest.approx([1 / selected] * selected)


def test_distances_count_by_their_squares():
    # Two neighbours each. The third has both at 2: 4 + 4; the first two are twins, 3 away from it: 0 + 9.
    # By unsquared distances the twins would win, with 3 to 4.
    rows = torch.tensor([[0.0, 0.0], [0.0, 0.0], [3.0, 0.0], [3.0, 2.0], [3.0, -2.0]], dtype=F64) + 1
    assert bound(Krum(1), 5)(rows @ rows.T, torch.ones(5, dtype=F64)).tolist() == [0, 0, 1, 0, 0]


def test_one_wild_task_is_not_followed():
    generator = torch.Generator().manual_seed(1)
    honest = torch.randn(30, generator=generator, dtype=F64) + 0.1 * torch.randn(4, 30, generator=generator, dtype=F64)
    for wild in (1e9 * torch.ones(1, 30, dtype=F64), -honest[:1], torch.zeros(1, 30, dtype=F64)):
        rows = torch.cat([honest[:2], wild, honest[2:]])
        assert bound(Krum(1), 5)(rows @ rows.T, torch.ones(5, dtype=F64))[2] == 0


def test_all_selected_is_the_mean():
    for _, rows in problems():
        weights = bound(Krum(selected=len(rows)), len(rows))(rows @ rows.T, torch.ones(len(rows), dtype=F64))
        torch.testing.assert_close(weights, torch.full((len(rows),), 1 / len(rows), dtype=F64))


def test_a_tie_goes_to_the_first():
    for count in (3, 20):
        weights = bound(Krum(), count)(torch.ones(count, count, dtype=F64), torch.ones(count, dtype=F64))
        assert int(weights.argmax()) == 0


def test_too_few_present_are_counted_and_averaged():
    method = bound(Krum(1), 5)
    for count, unsolved in ((3, 1), (1, 2), (4, 2)):
        weights = method(torch.eye(count, dtype=F64), torch.ones(count, dtype=F64), torch.arange(count))
        assert method.unsolved == unsolved
        if count < 4:
            assert weights.tolist() == pytest.approx([1 / count] * count)


def test_refuses():
    with pytest.raises(ValueError, match=r"byzantine must be a whole number, 0 or more, got -1"):
        Krum(-1)
    with pytest.raises(ValueError, match=r"selected must be a whole number, 1 or more, got 0"):
        Krum(selected=0)
    with pytest.raises(ValueError, match="byzantine=1 needs 5 tasks or more, got 4"):
        bound(Krum(1), 4)
    with pytest.raises(ValueError, match="selected=4 is more than there are tasks, 3"):
        bound(Krum(0, 4), 3)
