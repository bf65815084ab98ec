import pytest
import torch
from driving import bound, weights_of

import equipoise as eq
from equipoise.testing import check_method
from equipoise.weighting.initial import Initial


@pytest.mark.parametrize("reference", ["step", "epoch"])
def test_laws(reference):
    check_method(lambda: Initial(reference))


def test_laws_with_numbers():
    check_method(
        lambda: Initial([1.0, 2.0, 0.5, 3.0, 1.0]),
        except_for={"ignores_task_order": "its references belong to the tasks by their places"},
    )


def test_step_keeps_the_first_loss_of_each_task():
    method = bound(Initial())
    assert weights_of(method, [4.0, 0.5], [0, 2]) == [1 / 4, 2.0]
    method.end_epoch()
    assert weights_of(method, [1.0, 8.0, 5.0]) == [1 / 4, 1 / 8, 2.0]


def test_epoch_takes_the_mean_so_far_and_keeps_that_of_the_first_epoch():
    method = bound(Initial("epoch"))
    assert weights_of(method, [4.0, 1.0], [0, 1]) == [1 / 4, 1.0]
    assert weights_of(method, [2.0, 3.0], [0, 1]) == pytest.approx([1 / 3, 1 / 2])
    method.end_epoch()
    assert weights_of(method, [100.0, 100.0, 8.0]) == pytest.approx([1 / 3, 1 / 2, 1 / 8])  # the third is in its first
    assert weights_of(method, [100.0, 100.0, 4.0]) == pytest.approx([1 / 3, 1 / 2, 1 / 6])
    method.end_epoch()
    assert weights_of(method, [1.0, 1.0, 1.0]) == pytest.approx([1 / 3, 1 / 2, 1 / 6])
    method = bound(Initial("epoch"), 1)
    for loss in (4.0, 1.0, 1.0):  # an epoch of one step is one
        assert weights_of(method, [loss]) == [1 / 4]
        method.end_epoch()


def test_numbers_are_in_the_units_of_the_loss_without_the_users_weight():
    method = bound(Initial([2.0, 4.0]), 2)
    assert weights_of(method, [7.0, 9.0]) == [1 / 2, 1 / 4]
    model = torch.nn.Linear(1, 2, bias=False)
    for make in (lambda: Initial([2.0, 4.0]), Initial):
        balancer = eq.Balancer(make(), model, tasks={"a": 3.0, "b": 1.0})
        a, b = model(torch.ones(1)) * 0 + torch.tensor([2.0, 4.0])
        balancer({"a": a, "b": b}).backward()
        assert balancer.record.weights == pytest.approx({"a": 3 / 2, "b": 1 / 4})


def test_a_loss_that_is_not_finite_is_no_reference():
    for reference in ("step", "epoch"):
        method = bound(Initial(reference), 2)
        weights_of(method, [torch.inf, torch.nan])
        method.end_epoch()
        assert weights_of(method, [4.0, 2.0]) == [1 / 4, 1 / 2]


def test_the_reference_is_saved():
    method, resumed = bound(Initial()), bound(Initial())
    weights_of(method, [4.0, 2.0, 1.0])
    resumed.load_state_dict(method.state_dict())
    assert weights_of(resumed, [1.0, 1.0, 8.0]) == [1 / 4, 1 / 2, 1.0]


def test_errors():
    for reference in ("first", [], [1.0, 0.0], [1.0, -2.0], [float("nan")], [float("inf")]):
        with pytest.raises(ValueError, match="reference must be 'step', 'epoch' or one positive number per task"):
            Initial(reference)
    with pytest.raises(ValueError, match=r"reference must hold one value for each of 3 tasks, got \[1.0\]"):
        bound(Initial([1.0]))
    with pytest.raises(ValueError, match="needs positive losses, got 0 for task 1"):
        bound(Initial(), 2)(torch.tensor([1.0, 0.0]))
