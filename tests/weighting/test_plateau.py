import pytest
import torch

from equipoise.testing import check_method
from equipoise.weighting.plateau import Plateau


def bound(method, num_tasks=2):
    method.bind(num_tasks)
    return method


def tell(method, *results, tasks=None):
    tasks = range(len(results)) if tasks is None else tasks
    method.observe(torch.tensor(results, dtype=torch.float64), torch.tensor(list(tasks)))


def weights_of(method, tasks=(0, 1)):
    losses = torch.ones(len(tasks), requires_grad=True)
    return torch.autograd.grad(method(losses, torch.tensor(tasks)), losses)[0].tolist()


def test_it_keeps_the_laws():
    check_method(Plateau)
    check_method(lambda: Plateau(patience=1, restore=5e-3))


@pytest.mark.parametrize("patience", [1, 2, 4])
def test_shares_are_the_learning_rates_of_reduce_lr_on_plateau(patience):
    # whose patience counts the evaluations that change nothing yet
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="max", factor=0.6, patience=patience - 1, threshold=0.01, min_lr=0.1
    )
    method = bound(Plateau(0.6, patience, 0.01, floor=0.1), 1)
    generator = torch.Generator().manual_seed(patience)
    lowered = 0
    for step in range(60):
        result = float(1 + 0.02 * step + 0.2 * torch.randn((), generator=generator, dtype=torch.float64))
        scheduler.step(result)
        tell(method, result)
        assert method.share.item() == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-5)
        lowered = max(lowered, 1 - method.share.item())
    assert lowered > 0.3


def test_the_weights_of_a_step_have_mean_one():
    method = bound(Plateau(factor=0.5, patience=2, floor=0.2), 3)
    for t in range(5):
        tell(method, 0.7, 0.1 * t + 0.1, 0.2 * t + 0.1)
    # task 0 set its best at once and then waited twice twice
    assert method.share.tolist() == [0.25, 1.0, 1.0]
    assert weights_of(method, (0, 1, 2)) == pytest.approx([3 * 0.25 / 2.25, 3 / 2.25, 3 / 2.25])
    assert weights_of(method, (0, 2)) == pytest.approx([0.4, 1.6])
    assert weights_of(method, (0,)) == [1.0]
    for _ in range(9):
        tell(method, 0.7, tasks=[0])
    assert method.share.tolist() == pytest.approx([0.2, 1.0, 1.0])


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_gain_is_relative_to_the_size_of_the_best(sign):
    best = sign * 10.0
    for gain, is_one in ((0.09, False), (0.11, True)):
        method = bound(Plateau(patience=1, delta=0.01), 1)
        tell(method, best)
        tell(method, best + gain)
        assert method.share.item() == (1.0 if is_one else 0.5)
        assert method.best.item() == pytest.approx(best + gain if is_one else best)


def test_by_default_a_task_that_overfits_or_is_noisy_stays_lowered():
    generator = torch.Generator().manual_seed(0)
    method = bound(Plateau(), 3)
    shares = []
    for t in range(40):
        noisy = 0.8 * (1 + 0.02 * float(torch.randn((), generator=generator)))
        tell(method, 0.8 - 0.01 * max(t - 3, 0), noisy, 0.02 * t)  # overfits, does not improve, improves
        shares.append(method.share.tolist())
    for k in (0, 1):
        of_task = [share[k] for share in shares]
        assert of_task == sorted(of_task, reverse=True)
    assert max(shares[-1][:2]) < 0.15
    assert shares[-1][2] == 1.0


def test_where_all_tasks_stop_the_weights_are_one():
    method = bound(Plateau(patience=1))
    for _ in range(3):
        tell(method, 0.5, 0.7)
    assert method.share.tolist() == [0.25, 0.25]
    assert weights_of(method) == [1.0, 1.0]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_lowered_task_that_gets_worse_has_its_weight_back_and_waits_anew(sign):
    best = sign * 10.0
    method = bound(Plateau(patience=2, restore=0.05), 1)
    shares = []
    for result in (0, 0, 0, -0.4, -0.6, -0.6, -0.6, -0.4, -0.4, -0.6):
        tell(method, best + result)
        shares.append(method.share.item())
    # lowered after two; -0.4 is not far enough; back at -0.6; two more without a gain; two more; back
    assert shares == [1.0, 1.0, 0.5, 0.5, 1.0, 1.0, 0.5, 0.5, 0.25, 1.0]
    method = bound(Plateau(patience=2, restore=0.05), 1)
    shares = []
    for result in (0, 0, 0, -0.6, -0.4, -0.4):  # back at once, and the evaluation that brought it back is not counted
        tell(method, best + result)
        shares.append(method.share.item())
    assert shares == [1.0, 1.0, 0.5, 1.0, 1.0, 0.5]
    method = bound(Plateau(patience=2, restore=0.05), 1)
    shares = []
    for result in (0, -0.6, -0.6):  # a task at its full weight has nothing to have back
        tell(method, best + result)
        shares.append(method.share.item())
    assert shares == [1.0, 1.0, 0.5]


def test_what_is_not_told_changes_nothing():
    method = bound(Plateau(patience=1))
    for _ in range(3):
        tell(method, 0.5, tasks=[1])
        tell(method, float("nan"), float("inf"))
    assert method.share.tolist() == [1.0, 0.25]
    assert method.best.isnan().tolist() == [True, False]


def test_errors():
    for arguments, message in [
        ({"factor": 1.0}, r"factor must be in \(0, 1\), got 1.0"),
        ({"patience": 0}, "patience must be a whole number, 1 or more, got 0"),
        ({"delta": -0.1}, r"delta must be in \[0, inf\], got -0.1"),
        ({"restore": float("nan")}, "restore must not be negative, or None, got nan"),
        ({"floor": 0.0}, r"floor must be in \(0, 1\], got 0.0"),
    ]:
        with pytest.raises(ValueError, match=message):
            Plateau(**arguments)
