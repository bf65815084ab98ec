import pytest
import torch

import equipoise as eq


def bound(weights):
    method = eq.Fixed(weights)
    method.bind(len(weights))
    return method


def test_the_objective_is_the_weighted_sum_and_its_gradient_the_weights():
    losses = torch.tensor([3.0, 5.0, 7.0], requires_grad=True)
    objective = bound([0.5, 0.0, 2.0])(losses)
    objective.backward()
    assert objective.item() == 0.5 * 3 + 2 * 7
    assert losses.grad.tolist() == [0.5, 0.0, 2.0]


def test_weights_belong_to_tasks_not_to_positions():
    losses = torch.tensor([3.0, 7.0])
    assert bound([0.5, 10.0, 2.0])(losses, torch.tensor([0, 2])).item() == 0.5 * 3 + 2 * 7


def test_a_users_weight_multiplies_it():
    model = torch.nn.Linear(1, 2, bias=False)
    balancer = eq.Balancer(eq.Fixed([2.0, 5.0]), model, tasks={"a": 3.0, "b": 1.0})
    a, b = model(torch.ones(1))
    balancer({"a": a, "b": b}).backward()
    assert model.weight.grad.flatten().tolist() == [6.0, 5.0]
    assert balancer.record.weights == {"a": 6.0, "b": 5.0}


def test_weights_are_an_argument_not_state():
    method = bound([1.0, 4.0])
    method.load_state_dict(bound([1.0, 2.0]).state_dict())
    assert method(torch.ones(2)).item() == 5.0


@pytest.mark.parametrize(
    "weights", [[], [2.0, -1.0], [0.0, 0.0], [1.0, float("inf")], [1.0, float("nan")], [float("nan"), 1.0]]
)
def test_weights_out_of_range(weights):
    with pytest.raises(ValueError, match="weights must be finite, none negative and not all zero, got"):
        eq.Fixed(weights)


@pytest.mark.parametrize("weights", [2.0, "ab"])
def test_weights_that_are_no_list(weights):
    with pytest.raises(ValueError, match=r"weights must be \{task: weight\} or one number per task, .*, got"):
        eq.Fixed(weights)


def test_a_tensor_of_weights():
    assert eq.Fixed(torch.tensor([1.0, 2.0])).weights == (1.0, 2.0)


def test_one_weight_for_each_task():
    with pytest.raises(ValueError, match=r"weights must hold one value for each of 3 tasks, got \[1.0, 2.0\]"):
        eq.Balancer(eq.Fixed([1.0, 2.0]), torch.nn.Linear(1, 1), tasks=["a", "b", "c"])
