import copy

import pytest
import torch
from three_heads import NAMES, Net

import equipoise as eq
from equipoise.aggregation.ada_task import AdaTask
from equipoise.testing import check_method

F64 = torch.float64


@pytest.mark.parametrize(("betas", "eps"), [((0.9, 0.999), 0.0), ((0.9, 0.999), 1e-8), ((0.0, 0.5), 1e-3)])
def test_it_is_an_adam_for_each_task_whose_updates_add_up(betas, eps):
    """Each task's Adam is torch's, on a copy of the trunk that is moved back to the common place at every step."""
    net, lr = Net().double(), 1e-2
    balancer = eq.Balancer(AdaTask(betas, eps), net, tasks=NAMES)
    optimizer = torch.optim.SGD(net.trunk.parameters(), lr=lr)
    copies = {name: [p.detach().clone().requires_grad_() for p in net.trunk.parameters()] for name in NAMES}
    adams = {name: torch.optim.Adam(copies[name], lr, betas, eps) for name in NAMES}
    for seed, present in enumerate((NAMES, NAMES, ("a", "c"), NAMES, ("b", "c"), ("c", "b", "a"))):
        losses = net.losses(seed, present)
        start = [p.detach().clone() for p in net.trunk.parameters()]
        expected = [p.clone() for p in start]
        for name in present:
            gradients = torch.autograd.grad(losses[name], list(net.trunk.parameters()), retain_graph=True)
            for p, where, gradient in zip(copies[name], start, gradients, strict=True):
                p.data.copy_(where)
                p.grad = gradient
            adams[name].step()
            expected = [e + p.detach() - s for e, p, s in zip(expected, copies[name], start, strict=True)]
        optimizer.zero_grad()
        balancer(losses).backward()
        optimizer.step()
        torch.testing.assert_close([p.detach() for p in net.trunk.parameters()], expected, rtol=1e-10, atol=1e-13)


def test_with_one_task_it_is_adam():
    net, other = Net(), Net()
    balancer = eq.Balancer(AdaTask(eps=1e-8), net, tasks=["a"])
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-2)
    adam = torch.optim.Adam(other.parameters(), lr=1e-2)
    for seed in range(20):
        for model, step, loss in (
            (net, optimizer, balancer(net.losses(seed, ("a",)))),
            (other, adam, other.losses(seed, ("a",))["a"]),
        ):
            model.zero_grad()
            loss.backward()
            step.step()
    torch.testing.assert_close(net.state_dict(), other.state_dict(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("eps", [0.0, 0.01])
def test_laws(eps):
    units = {"is_homogeneous": "eps is a length of gradient entries"} if eps else {}
    check_method(lambda: AdaTask(eps=eps), except_for=units)


def test_the_scale_of_each_loss_does_not_matter():
    rows = torch.randn(6, 3, 4, generator=torch.Generator().manual_seed(0), dtype=F64)
    scales = torch.tensor([1e-30, 1.0, 1e20], dtype=F64)[:, None]
    plain, scaled = AdaTask(), AdaTask()
    for method in (plain, scaled):
        method.bind(3)
    for step in rows:
        torch.testing.assert_close(scaled(step * scales, step.new_ones(3)), plain(step, step.new_ones(3)))


def test_gradients_whose_squares_vanish_in_float32_are_seen():
    method = AdaTask()
    method.bind(1)
    assert method(torch.tensor([[1e-30, -1e-30, 0.0]]), torch.ones(1)).tolist() == pytest.approx([1.0, -1.0, 0.0])


def test_a_users_weight_is_a_preference():
    rows = torch.randn(2, 5, generator=torch.Generator().manual_seed(0), dtype=F64)
    method = AdaTask()
    method.bind(2)
    method.prefer(torch.tensor([3.0, 1.0]))
    torch.testing.assert_close(
        method(rows, torch.ones(2, dtype=F64)), rows.sign().T @ torch.tensor([3.0, 1.0], dtype=F64)
    )


def test_the_state_resumes():
    net, gradients = Net(), []
    balancer, resumed = (eq.Balancer(AdaTask(), net, tasks=NAMES) for _ in range(2))
    for seed in range(3):
        balancer(net.losses(seed, NAMES[: 2 + seed % 2])).backward()
    state = copy.deepcopy(balancer.state_dict())
    assert {"method.mean", "method.root", "method.steps"} <= state.keys()
    resumed.load_state_dict(state)
    for which in (balancer, resumed):
        net.zero_grad()
        which(net.losses(5)).backward()
        gradients.append([p.grad.clone() for p in net.parameters()])
    torch.testing.assert_close(*gradients, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"betas": (0.9, 1.0)}, r"betas\[\d\] must be in \[0, 1\), got 1.0"),
        ({"betas": (0.9,)}, r"betas must be two numbers, got \(0.9,\)"),
        ({"eps": -1e-8}, r"eps must be in \[0, inf\), got -1e-08"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        AdaTask(**arguments)
