import pytest
import torch

import equipoise as eq

FACTORS = {"regression": 0.5, "classification": 1.0}
LOSSES = torch.tensor([3.0, 0.2, 40.0])


def bound(form, initial=0.0):
    method = eq.UW(form, initial)
    method.bind(3)
    return method


@pytest.mark.parametrize(
    ("form", "factors"),
    [
        ("regression", [0.5, 0.5, 0.5]),
        ("classification", [1.0, 1.0, 1.0]),
        (["regression", "classification", "regression"], [0.5, 1.0, 0.5]),
    ],
)
@pytest.mark.parametrize("initial", [0.0, -1.5])
def test_gradients_are_those_of_the_formula(form, factors, initial):
    # L = sum_k c exp(-s) l + s / 2:  dL/dl = c exp(-s),  dL/ds = -c exp(-s) l + 1 / 2
    method, losses = bound(form, initial), LOSSES.clone().requires_grad_()
    objective = method(losses)
    objective.backward()
    precision = torch.tensor(factors) * torch.exp(torch.tensor(-initial))
    torch.testing.assert_close(objective, (precision * LOSSES + initial / 2).sum())
    torch.testing.assert_close(losses.grad, precision)
    torch.testing.assert_close(method.log_variance.grad, 0.5 - precision * LOSSES)


@pytest.mark.parametrize("form", FACTORS)
def test_the_log_variance_comes_to_rest_where_each_term_is_one_half(form):
    # dL/ds = 0  <=>  c exp(-s) l = 1/2  <=>  s = log(2 c l), and the weight is then 1 / (2 l), whatever c
    method = bound(form)
    optimizer = torch.optim.SGD(method.parameters(), lr=0.5)
    for _ in range(300):
        optimizer.zero_grad()
        method(LOSSES).backward()
        optimizer.step()
    torch.testing.assert_close(method.log_variance.detach(), torch.log(2 * FACTORS[form] * LOSSES))
    losses = LOSSES.clone().requires_grad_()
    (weights,) = torch.autograd.grad(method(losses), losses)
    torch.testing.assert_close(weights, 1 / (2 * LOSSES))


def test_an_absent_task_adds_nothing():
    method = bound("regression", 1.0)
    objective = method(LOSSES[[0, 2]], torch.tensor([0, 2]))
    torch.testing.assert_close(objective, 0.5 * LOSSES[[0, 2]].sum() * torch.exp(torch.tensor(-1.0)) + 1.0)
    objective.backward()
    assert method.log_variance.grad[1] == 0


def test_the_log_variances_are_what_the_balancer_gives_to_an_optimiser():
    model = torch.nn.Linear(2, 3)
    balancer = eq.Balancer(eq.UW(), model, tasks=["a", "b", "c"])
    assert [p.tolist() for p in balancer.parameters()] == [[0.0, 0.0, 0.0]]
    assert "method.log_variance" in balancer.state_dict()


def test_errors():
    with pytest.raises(ValueError, match=r"form must be 'regression' or 'classification'.*got 'regresion'"):
        eq.UW("regresion")
    with pytest.raises(ValueError, match=r"got \['regression', 'ranking'\]"):
        eq.UW(["regression", "ranking"])
    with pytest.raises(ValueError, match="form must hold one value for each of 3 tasks"):
        bound(["regression", "classification"])
