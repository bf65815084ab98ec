import pytest
import torch

from equipoise.aggregation.graddrop import GradDrop
from equipoise.testing import check_method

F64 = torch.float64
ROWS = torch.randn(4, 200, generator=torch.Generator().manual_seed(0), dtype=F64)
LOSSES = torch.ones(4, dtype=F64)


def bound(method, num_tasks=4):
    method.bind(num_tasks)
    return method


def test_laws():
    check_method(GradDrop)
    check_method(lambda: GradDrop(0.3, seed=2))
    check_method(
        lambda: GradDrop([0.1, 0.9, 0.3, 0.0, 1.0]),
        except_for={"ignores_task_order": "the leaks belong to the tasks by their places"},
    )


def test_every_coordinate_keeps_one_sign():
    gradient = bound(GradDrop())(ROWS, LOSSES)
    positive, negative = ROWS.clamp(min=0).sum(dim=0), ROWS.clamp(max=0).sum(dim=0)
    torch.testing.assert_close(gradient, torch.where(gradient > 0, positive, negative))
    assert 0 < int((gradient > 0).sum()) < len(gradient)


def test_the_odds_are_those_of_the_sums():
    # one column of purity (3 + 1) / (3 + 1 + 1) = 0.8, drawn 20000 times; +-4 standard deviations of 0.0028
    column = torch.tensor([[3.0], [-1.0], [1.0], [0.0]], dtype=F64).expand(4, 20_000)
    gradient = bound(GradDrop(seed=1))(column, LOSSES)
    assert set(gradient.tolist()) == {4.0, -1.0}
    assert float((gradient == 4.0).double().mean()) == pytest.approx(0.8, abs=0.012)


def test_its_mean_is_the_sum():
    # P a - (1 - P) b = a - b for the sums a, b of either sign
    method, rows = bound(GradDrop()), ROWS[:, :5]
    draws = torch.stack([method(rows, LOSSES) for _ in range(2000)])
    error = (draws.mean(dim=0) - rows.sum(dim=0)).abs()
    assert (error < 4.5 * draws.std(dim=0) / 2000**0.5 + 1e-12).all()


def test_coordinates_are_drawn_apart():
    column = torch.tensor([[1.0], [-1.0]], dtype=F64).expand(2, 1000)
    gradient = bound(GradDrop(), 2)(column, LOSSES[:2])
    assert 400 < int((gradient > 0).sum()) < 600


def test_without_conflict_it_is_the_sum():
    signs = torch.where(torch.rand(200, generator=torch.Generator().manual_seed(1)) < 0.5, -1.0, 1.0)
    rows = ROWS.abs() * signs
    rows[:, :3] = 0
    rows[1] = 0
    torch.testing.assert_close(bound(GradDrop())(rows, LOSSES), rows.sum(dim=0))


def test_the_leak_passes_whatever_the_sign():
    leaks = torch.tensor([0.0, 0.25, 1.0, 0.5], dtype=F64)
    gradient = bound(GradDrop(leaks.tolist(), seed=3))(ROWS, LOSSES)
    without = bound(GradDrop(seed=3))(ROWS, LOSSES)  # the same draws, which tell the sign that was kept
    for p in range(ROWS.shape[1]):
        kept = ROWS[:, p] > 0 if without[p] > 0 else ROWS[:, p] < 0
        expected = sum(float(leaks[k] + (1 - leaks[k]) * kept[k]) * float(ROWS[k, p]) for k in range(4))
        assert float(gradient[p]) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    torch.testing.assert_close(bound(GradDrop(1.0))(ROWS, LOSSES), ROWS.sum(dim=0))
    present = torch.tensor([1, 2])  # a task takes its own leak along
    gradient = bound(GradDrop([1, 0, 1, 0]))(ROWS[present], LOSSES[present], present)
    one, two = gradient - ROWS[2], ROWS[1]  # what was kept of task 1 is all or nothing
    torch.testing.assert_close(one, torch.where(one.abs() > two.abs() / 2, two, 0.0))


def test_draws_follow_from_seed_and_step():
    method, same, other = bound(GradDrop()), bound(GradDrop()), bound(GradDrop(seed=1))
    first = [method(ROWS, LOSSES) for _ in range(3)]
    assert all(torch.equal(a, same(ROWS, LOSSES)) for a in first)
    assert len({tuple(draw.tolist()) for draw in [*first, other(ROWS, LOSSES)]}) == 4
    fresh = bound(GradDrop())
    fresh.load_state_dict(method.state_dict())
    assert torch.equal(method(ROWS, LOSSES), fresh(ROWS, LOSSES))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_other_precisions(dtype):
    rows = ROWS.to(dtype)
    gradient = bound(GradDrop())(rows, LOSSES)
    assert gradient.dtype == dtype
    assert gradient.isfinite().all()


@pytest.mark.parametrize("leak", [-0.1, 1.5, float("nan"), [0.0, 2.0]])
def test_refuses_leaks(leak):
    with pytest.raises(ValueError, match=r"leak(\[\d\])? must be in \[0, 1\]"):
        GradDrop(leak)


def test_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="leak must hold one value for each of 4 tasks"):
        bound(GradDrop([0.0, 0.5]))
    with pytest.raises(ValueError, match=r"seed must be a whole number, 0 or more, got -1"):
        GradDrop(seed=-1)
