import pytest
import torch

from equipoise.aggregation.hard_priority import HardPriority
from equipoise.testing import check_method

F64 = torch.float64
WHY = "the primary task is known by its place"


def weights_of(method, rows, tasks=None):
    return method(rows @ rows.T, torch.ones(len(rows), dtype=F64), tasks)


def test_it_keeps_every_law_but_one():
    check_method(HardPriority, except_for={"ignores_task_order": WHY})
    check_method(lambda: HardPriority(primary=3), except_for={"ignores_task_order": WHY})


@pytest.mark.parametrize("primary", [0, 2])
def test_the_others_are_projected_onto_the_half_space_of_the_primary(primary):
    generator = torch.Generator().manual_seed(primary)
    projected = 0
    for _ in range(50):
        rows = torch.randn(4, 6, generator=generator, dtype=F64)
        reference = rows[primary]
        rest = rows.sum(dim=0) - reference
        if rest @ reference < 0:
            rest = rest - rest @ reference / (reference @ reference) * reference
            projected += 1
        direction = weights_of(HardPriority(primary), rows) @ rows
        torch.testing.assert_close(direction, reference + rest)
        assert direction @ reference >= reference @ reference - 1e-10
    assert 10 < projected < 40


def test_the_order_of_the_others_does_not_matter():
    rows = torch.randn(4, 6, generator=torch.Generator().manual_seed(5), dtype=F64)
    order = [0, 3, 1, 2]
    torch.testing.assert_close(
        weights_of(HardPriority(), rows[order]) @ rows[order], weights_of(HardPriority(), rows) @ rows
    )


def test_by_hand():
    # (-2, 1) loses its part along (1, 0)
    rows = torch.tensor([[1.0, 0.0], [-2.0, 1.0]], dtype=F64)
    assert weights_of(HardPriority(), rows).tolist() == [3.0, 1.0]
    # (1, 0) seen from (-2, 1): 2 / 5 of it is given back
    torch.testing.assert_close(weights_of(HardPriority(1), rows), torch.tensor([1.0, 1.4], dtype=F64))


def test_without_the_primary_nothing_holds_the_others_back():
    rows = torch.tensor([[1.0, 0.0], [-2.0, 1.0]], dtype=F64)
    assert weights_of(HardPriority(), rows, torch.tensor([1, 2])).tolist() == [1.0, 1.0]
    rows[0] = 0
    assert weights_of(HardPriority(), rows).tolist() == [1.0, 1.0]


def test_the_primary_keeps_its_identity_where_tasks_are_absent():
    rows = torch.tensor([[-2.0, 1.0], [1.0, 0.0]], dtype=F64)
    assert weights_of(HardPriority(primary=4), rows, torch.tensor([1, 4])).tolist() == [1.0, 3.0]


def test_a_bad_primary_is_refused():
    with pytest.raises(ValueError, match=r"primary must be a whole number, 0 or more, got -1"):
        HardPriority(-1)
    with pytest.raises(ValueError, match=r"primary must be the index of one of 3 tasks, from 0 to 2, got 3"):
        HardPriority(3).bind(3)
