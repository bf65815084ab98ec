import pytest
import torch
from torch.testing import assert_close

import equipoise as eq


@pytest.mark.parametrize("num_tasks", [1, 3])
def test_its_objective_is_the_sum_and_its_gradient_ones(num_tasks):
    losses = torch.arange(1.0, num_tasks + 1).requires_grad_()
    objective = eq.Sum()(losses)
    assert_close(objective, torch.tensor(num_tasks * (num_tasks + 1) / 2))
    (gradient,) = torch.autograd.grad(objective, losses)
    assert_close(gradient, torch.ones(num_tasks))


def test_a_balancer_with_it_is_the_sum_in_plain_torch():
    x = torch.tensor([1.0, -2.0, 0.5], requires_grad=True)

    def losses():
        return {"a": x.square().sum(), "b": (3 * x).exp().sum()}

    (expected,) = torch.autograd.grad(sum(losses().values()), x)
    balancer = eq.Balancer(eq.Sum(), [x], tasks=["a", "b"])
    balancer(losses()).backward()
    assert torch.equal(x.grad, expected)
    assert balancer.record.weights == {"a": 1.0, "b": 1.0}
