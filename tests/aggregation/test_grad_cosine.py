import pytest
import torch

from equipoise.aggregation.grad_cosine import GradCosine
from equipoise.testing import check_method

F64 = torch.float64
BY_PLACE = {"ignores_task_order": "its main task is named by its place"}
ROWS = torch.tensor([[1.0, 0.0], [-0.03, 4.0], [0.6e-7, 0.8e-7], [0.0, 5.0]], dtype=F64)  # cosines < 0, 0.6, 0


def weights_of(method, rows=ROWS, tasks=None):
    return method(rows @ rows.T, torch.ones(len(rows), dtype=F64), tasks).tolist()


@pytest.mark.parametrize("method", [GradCosine(), GradCosine(main=2), GradCosine(main=4, weighted=True)])
def test_the_laws_hold(method):
    check_method(lambda: GradCosine(method.main, method.weighted), except_for=BY_PLACE)


def test_auxiliary_tasks_may_exchange_their_roles():
    weights = weights_of(GradCosine(weighted=True))
    order = [0, 3, 1, 2]
    assert weights_of(GradCosine(weighted=True), ROWS[order]) == pytest.approx([weights[k] for k in order])


def test_an_auxiliary_task_counts_unless_it_points_against_the_main_one():
    assert weights_of(GradCosine()) == [1.0, 0.0, 1.0, 1.0]  # an orthogonal one does no harm


def test_the_weighted_version_counts_by_the_cosine():
    assert weights_of(GradCosine(weighted=True)) == pytest.approx([1.0, 0.0, 0.6, 0.0])


def test_the_main_task_is_the_one_named():
    assert weights_of(GradCosine(main=1)) == [0.0, 1.0, 1.0, 1.0]
    # indices are of all tasks: task 3 is main, and the second of those present
    assert weights_of(GradCosine(main=3), ROWS[[1, 0]], torch.tensor([0, 3])) == [0.0, 1.0]


@pytest.mark.parametrize("weighted", [False, True])
def test_the_direction_never_opposes_the_main_task(weighted):
    generator = torch.Generator().manual_seed(0)
    for _ in range(100):
        rows = torch.randn(5, 3, generator=generator, dtype=F64) * torch.rand(5, 1, generator=generator, dtype=F64)
        direction = torch.tensor(weights_of(GradCosine(weighted=weighted), rows), dtype=F64) @ rows
        assert direction @ rows[0] >= rows[0] @ rows[0] - 1e-12


@pytest.mark.parametrize("weighted", [False, True])
def test_without_the_main_tasks_gradient_no_auxiliary_task_counts(weighted):
    method = GradCosine(weighted=weighted)
    assert weights_of(method, ROWS * torch.tensor([[0.0], [1.0], [1.0], [1.0]])) == [1.0, 0.0, 0.0, 0.0]
    assert weights_of(method, ROWS[1:], torch.tensor([1, 2, 3])) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("weighted", [False, True])
def test_an_auxiliary_task_without_gradient_gives_nothing(weighted):
    """It has no cosine."""
    assert weights_of(GradCosine(weighted=weighted), ROWS * torch.tensor([[1.0], [1.0], [0.0], [1.0]]))[2] == 0.0


def test_bad_places_are_refused():
    with pytest.raises(ValueError, match=r"main must be a whole number, 0 or more, got -1"):
        GradCosine(main=-1)
    with pytest.raises(ValueError, match=r"main must be the index of one of 3 tasks, from 0 to 2, got 3"):
        GradCosine(main=3).bind(3)
