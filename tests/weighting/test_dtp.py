import math

import pytest
import torch

import equipoise as eq
from equipoise.testing import check_method
from equipoise.weighting.dtp import DTP


def bound(method, num_tasks=3):
    method.bind(num_tasks)
    return method


def tell(method, *results, tasks=None):
    tasks = range(len(results)) if tasks is None else tasks
    method.observe(torch.tensor(results, dtype=torch.float64), torch.tensor(list(tasks)))


def weights_of(method, tasks=(0, 1, 2)):
    losses = torch.tensor([2.0, 3.0, 5.0])[: len(tasks)].requires_grad_()
    return torch.autograd.grad(method(losses, torch.tensor(tasks)), losses)[0].tolist()


def focal(kpi, gamma):
    return -((1 - kpi) ** gamma) * math.log(kpi)


def test_it_keeps_the_laws():
    check_method(DTP)
    check_method(lambda: DTP(gamma=0.0, alpha=1.0))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_the_weight_is_the_focal_loss_of_the_result(gamma):
    method = bound(DTP(gamma))
    tell(method, 0.3, 0.9, 0.5)
    assert weights_of(method) == pytest.approx([focal(kpi, gamma) for kpi in (0.3, 0.9, 0.5)], rel=1e-6)


def test_results_are_averaged_and_the_first_is_taken_as_it_is():
    method = bound(DTP(alpha=0.25), 1)
    kpi = None
    for result in (0.2, 0.6, 0.5, 0.9):
        tell(method, result)
        kpi = result if kpi is None else 0.25 * result + 0.75 * kpi
        assert weights_of(method, (0,)) == pytest.approx([focal(kpi, 1.0)], rel=1e-5)


def test_a_task_without_a_result_has_weight_one_and_keeps_what_it_had():
    method = bound(DTP())
    assert weights_of(method) == [1.0, 1.0, 1.0]
    tell(method, 0.4, tasks=[1])
    assert weights_of(method) == pytest.approx([1.0, focal(0.4, 1.0), 1.0])
    tell(method, 0.8, float("nan"), tasks=[0, 1])
    assert weights_of(method) == pytest.approx([focal(0.8, 1.0), focal(0.4, 1.0), 1.0])
    assert weights_of(method, (1, 2)) == pytest.approx([focal(0.4, 1.0), 1.0])


def test_a_perfect_task_rests_and_one_below_the_floor_counts_as_the_floor():
    method = bound(DTP(floor=0.05))
    tell(method, 1.0, 0.0, -3.0)
    assert weights_of(method) == pytest.approx([0.0, focal(0.05, 1.0), focal(0.05, 1.0)])
    tell(method, 0.5, tasks=[2])  # a result far below the floor is not averaged in
    assert method.kpi[2] == pytest.approx(0.1 * 0.5 + 0.9 * 0.05)


def test_results_are_told_by_name_through_the_balancer():
    model = torch.nn.Linear(1, 2, bias=False)
    balancer = eq.Balancer(DTP(), model, tasks=["a", "b"])
    balancer.observe({"b": 0.25})
    a, b = model(torch.ones(1))
    balancer({"a": a, "b": b}).backward()
    assert balancer.record.weights == pytest.approx({"a": 1.0, "b": focal(0.25, 1.0)})


def test_errors():
    with pytest.raises(ValueError, match=r"results up to 1, such as an accuracy, got 81.0 for task 2: scale them"):
        tell(bound(DTP()), 0.5, 81.0, tasks=[0, 2])
    tell(bound(DTP()), 1.0000001)
    for arguments, message in [
        ({"gamma": -1.0}, r"gamma must be in \[0, inf\), got -1.0"),
        ({"gamma": float("nan")}, r"gamma must be in \[0, inf\)"),
        ({"alpha": 0.0}, r"alpha must be in \(0, 1\], got 0.0"),
        ({"floor": 0.0}, r"floor must be in \(0, 1\), got 0.0"),
        ({"floor": 1.0}, r"floor must be in \(0, 1\), got 1.0"),
    ]:
        with pytest.raises(ValueError, match=message):
            DTP(**arguments)
