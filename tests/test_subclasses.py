"""Losses, inputs and parameters of a subclass of ``torch.Tensor`` are balanced as plain tensors are."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import equipoise as eq
from equipoise.plain import plain

METHODS = ["sum", "uw", "mgda", "pcgrad", "graddrop"]


class Labelled(torch.Tensor):
    """A tensor with names of its columns, as PINA has it: results of operations are of this class and have no names."""

    def __new__(cls, x, labels):
        return x.as_subclass(cls)

    def __init__(self, x, labels):
        self.labels = labels

    def clone(self, *args, **kwargs):
        return Labelled(super().clone(*args, **kwargs), self.labels)

    def detach(self):
        return Labelled(super().detach(), self.labels)

    def to(self, *args, **kwargs):
        return Labelled(super().to(*args, **kwargs), self.labels)

    def __getitem__(self, index):
        return Labelled(super().__getitem__(index), self.labels)


class Stubborn(torch.Tensor):
    """A tensor of which nothing but views can be made."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if function in (torch.clone, torch.zeros_like, torch.stack, torch.Tensor.clone, torch.Tensor.new_zeros):
            raise RuntimeError(f"no {function.__name__} of this kind of tensor")
        return super().__torch_function__(function, types, args, kwargs or {})


def network(kind):
    torch.manual_seed(3)
    model = nn.ModuleDict(
        {"trunk": nn.Linear(2, 4), "a": nn.Linear(4, 1), "b": nn.Linear(4, 1), "unused": nn.Linear(2, 2)}
    )
    model.scale = nn.Parameter(torch.ones(4))
    x = torch.randn(6, 2)
    if kind == "labelled":
        x = Labelled(x, ["x", "y"])
    if kind == "stubborn":
        x = x.as_subclass(Stubborn)
    x.requires_grad_()  # as where derivatives by the inputs are losses
    return model, x


def losses_of(model, x):
    z = torch.tanh(model["trunk"](x) * model.scale)
    u = model["a"](z)
    (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    return {"equation": (slope.sum(1) - 1).square().mean(), "boundary": (model["b"](z) * u).square().mean()}


@pytest.mark.parametrize("kind", ["labelled", "stubborn"])
@pytest.mark.parametrize("method", METHODS)
def test_losses_and_inputs_of_a_subclass_train_like_plain_ones(method, kind):
    trained, rows = [], []
    for given in ("plain", kind):
        model, x = network(given)
        balancer = eq.Balancer(eq.method(method), model, tasks=["equation", "boundary"])
        optimizer = torch.optim.SGD([*model.parameters(), *balancer.parameters()], lr=0.1)
        for _ in range(3):
            losses = losses_of(model, x)
            assert (type(losses["equation"]) is torch.Tensor) == (given == "plain")
            optimizer.zero_grad()
            loss = balancer(losses)
            loss.backward()
            assert type(loss) is torch.Tensor
            assert all(type(p.grad) is torch.Tensor for p in model.parameters() if p.grad is not None)
            optimizer.step()
        trained.append(list(model.parameters()))
        rows.append(balancer.record.losses)
    assert_close(trained[0], trained[1])
    assert rows[0] == pytest.approx(rows[1])


@pytest.mark.parametrize("route", ["rows", "batched", "factored"])
def test_parameters_of_a_subclass_get_their_gradients(route):
    delivered = []
    for kind in (torch.Tensor, Stubborn):
        model, x = network("plain")
        for layer in (model["trunk"], model["a"]):
            layer.weight = nn.Parameter(layer.weight.detach().as_subclass(kind))
            assert isinstance(layer.weight, kind)
        balancer = eq.Balancer(eq.MGDA(), model, tasks=["equation", "boundary"], route=route)
        balancer(losses_of(model, x)).backward()
        delivered.append([None if p.grad is None else plain(p.grad) for p in model.parameters()])
    assert_close(delivered[0], delivered[1])


def test_micro_batches_of_a_subclass_accumulate():
    model, x = network("labelled")
    balancer = eq.Balancer(eq.MGDA(), model, tasks=["equation", "boundary"])
    balancer.accumulate(2)
    for _ in range(2):
        (balancer(losses_of(model, x)) / 2).backward()
    assert balancer.record.losses["equation"] > 0


def test_what_is_a_tensor_already_stays_itself():
    tensor, parameter = torch.ones(2), nn.Parameter(torch.ones(2))
    nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged)
    assert all(plain(given) is given for given in (tensor, parameter, nested))
    given = torch.ones(2, requires_grad=True)
    made = plain(given.mul(2).as_subclass(Stubborn))
    assert type(made) is torch.Tensor
    made.sum().backward()
    assert_close(given.grad, torch.full((2,), 2.0))
