"""Losses as scripts of each kind write them: named, valued and split rightly, and nothing found that is not there."""

import math
import sys
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.nn import functional

import equipoise as eq
from equipoise.watching import ScriptWatch
from equipoise.watching.findings import findings_of
from equipoise.watching.watch import AT


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(40, 64), nn.Tanh(), nn.Linear(64, 3))


def parts(look):
    return [(part.name, part.factor) for part in look.parts]


def test_a_loss_that_is_added_to_in_place_is_known(model):
    with ScriptWatch(at=[1]) as watch:
        outputs = model(torch.randn(8, 40))
        loss = functional.cross_entropy(outputs, torch.arange(8) % 3)
        before = loss.item()
        aux = outputs.abs().mean()
        loss += 0.5 * aux
        loss.backward()
    assert parts(watch.seen.looks[0]) == [("loss", 1), ("aux", 0.5)]
    assert watch.seen.looks[0].parts[0].value == before


def test_every_line_of_a_gan_has_its_names_from_the_first_step_on(model):
    with ScriptWatch() as watch:
        for _ in range(10):
            outputs = model(torch.randn(8, 40))
            real, fake = outputs.pow(2).mean(), outputs.abs().mean()
            (real + fake).backward()
            outputs = model(torch.randn(8, 40))
            fool, near = outputs.exp().mean(), outputs.abs().mean()
            (fool + near).backward()
    assert {look.step for look in watch.seen.looks} == {step for step in AT if step <= 10}
    named = [[part.name for part in look.parts] for look in watch.seen.looks]
    assert named == [["real", "fake"], ["fool", "near"]] * 2


def test_sums_over_an_episode_are_one_part_each(model):
    """A policy's and a value's, and a running sum over hundreds of steps, which is one loss."""
    with ScriptWatch(at=[1]) as watch:
        outputs = model(torch.randn(100, 40))
        policy, value = torch.stack([out[0] for out in outputs]).sum(), torch.stack([out[1] for out in outputs]).mean()
        (policy + value).backward()
        loss = 0
        for out in model(torch.randn(100, 40)):
            loss = loss + out.square().sum()
        loss.backward()
    assert [[part.name for part in look.parts] for look in watch.seen.looks] == [["policy", "value"], ["loss[0]"]]
    assert watch.seen.looks[1].parts[0].value == pytest.approx(loss.item())


def test_points_of_a_pinn_are_no_parameters(model):
    """They have a gradient for derivatives, and nobody trains them."""
    with ScriptWatch(at=[1]) as watch:
        x = torch.rand(16, 40, requires_grad=True)
        u = model(x).sum(1)
        slope = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
        pde, boundary = (slope.sum(1) - u).square().mean(), u[:4].square().mean()
        (pde + boundary).backward()
    assert [layer.name for layer in watch.seen.looks[0].layers] == ["0", "2"]


def test_halves_of_one_likelihood_do_not_conflict():
    """A likelihood by hand is a mean over a difference, and one loss."""
    torch.manual_seed(0)
    mean, spread = nn.Linear(40, 5), nn.Linear(40, 5)
    with ScriptWatch(at=[1, 2]) as watch:
        for _ in range(2):
            x, y = torch.randn(8, 40), torch.randn(8, 5)
            ((y - mean(x)).square() / (2 * spread(x).exp()) + spread(x) / 2 + math.log(2)).mean().backward()
    assert findings_of(watch.seen.looks) == []


def test_two_losses_of_one_function_have_a_value_each():
    class Two(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.sum(), 2 * x.sum()

        @staticmethod
        def backward(ctx, first, second):
            return (first + 2 * second).expand(40)

    weight = torch.ones(40, requires_grad=True)
    with ScriptWatch(at=[1]) as watch:
        first, second = Two.apply(weight)
        (first + 3 * second).backward()
    assert parts(watch.seen.looks[0]) == [("first", 1), ("second", 3)]
    assert [part.value for part in watch.seen.looks[0].parts] == [40, 80]


def test_a_first_step_alone_tells_of_no_dead_units():
    """Behind an output that begins at 0, as adapters' do, nothing has a gradient at step 1."""
    model = nn.Sequential(nn.Linear(40, 8), nn.Linear(8, 3))
    nn.init.zeros_(model[1].weight)
    with ScriptWatch(at=[1]) as watch:
        functional.cross_entropy(model(torch.randn(8, 40)), torch.arange(8) % 3).backward()
    assert findings_of(watch.seen.looks) == []


def test_one_shared_number_is_no_direction():
    """Gradients by one number are parallel or opposed, whatever the losses."""
    shift = nn.Parameter(torch.ones(()))
    with ScriptWatch(at=[1, 2]) as watch:
        for _ in range(2):
            a, b = (shift - 3).square(), (shift - 4).square()
            (a + b).backward()
    assert findings_of(watch.seen.looks) == []


def test_a_network_that_is_frozen_after_the_forward_pass_is_left_out():
    """As Lightning's ``toggle_optimizer`` does to the discriminator, whose leaves stay in the graph."""
    torch.manual_seed(0)
    generator, discriminator = nn.Linear(8, 8), nn.Linear(8, 1)
    with ScriptWatch(at=[1]) as watch:
        fake = generator(torch.randn(4, 8))
        near, fool = fake.pow(2).mean(), -discriminator(fake).mean()
        discriminator.requires_grad_(False)
        (near + fool).backward()
    assert watch.seen.problems == []
    assert {part.reached for part in watch.seen.looks[0].parts} == {72}


def test_numbers_of_a_class_of_the_scripts_own_are_named(model):
    """PINA's tensors carry labels, which those that it does not make lack."""

    class Labelled(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            assert function.__name__ not in ("detach", "clone")
            return super().__torch_function__(function, types, args, kwargs or {})

    with ScriptWatch(at=[1]) as watch:
        outputs = model(torch.randn(8, 40))
        with torch._C.DisableTorchFunctionSubclass():
            near = outputs.pow(2).mean().as_subclass(Labelled)
        far = outputs.abs().mean()
        total = far + 2 * near
        total.as_subclass(torch.Tensor).backward()
    assert watch.seen.problems == []
    assert sorted(parts(watch.seen.looks[0])) == [("far", 1), ("near", 2)]


def test_a_regulariser_that_is_flat_is_no_loss_that_drowns():
    """An entropy near its maximum has hardly a gradient; parts that share nothing do not compete."""
    torch.manual_seed(0)
    actor, critic = nn.Linear(40, 3), nn.Linear(40, 1)
    with torch.no_grad():
        actor.weight.mul_(0.01)
    with ScriptWatch(at=[1, 10]) as watch:
        for _ in range(10):
            x = torch.randn(16, 40)
            log = actor(x).log_softmax(1)
            policy, entropy = -log[:, 0].mean(), -(log.exp() * log).sum(1).mean()
            value = 1e4 * (critic(x)[:, 0] - 5).square().mean()
            (policy - 0.01 * entropy + value).backward()
    assert findings_of(watch.seen.looks) == []


def test_what_an_optimiser_holds_and_no_loss_reaches_is_known(model):
    head = nn.Linear(64, 2)
    optimizer = torch.optim.SGD([*model.parameters(), *head.parameters()], 0.1)
    another = torch.optim.SGD(nn.Linear(3, 3).parameters(), 0.1)  # of a training that is over
    whole = nn.ModuleDict({"model": model, "head": head})
    with ScriptWatch(at=[1]) as watch:
        whole["model"](torch.randn(8, 40)).square().mean().backward()
    assert watch.seen.looks[0].idle == ["head"]
    del optimizer, another


def test_gradients_that_vanish_and_that_grow_without_bounds_are_found():
    """Twelve sigmoids deep, and with a learning rate that is far too large."""
    torch.manual_seed(0)
    deep = nn.Sequential(*[layer for _ in range(12) for layer in (nn.Linear(8, 8), nn.Sigmoid())])
    flat = nn.Linear(8, 8)
    optimizer = torch.optim.SGD(flat.parameters(), 20.0)
    with ScriptWatch() as watch:
        for _ in range(10):
            deep(torch.randn(16, 8)).square().mean().backward()
            optimizer.zero_grad()
            flat(torch.randn(16, 8)).square().mean().backward()
            optimizer.step()
    vanished, grown = (findings_of(watch.seen.looks[place::2]) for place in (0, 1))
    assert [finding.partition(",")[0].removesuffix("Sequential.0").removesuffix("0") for finding in vanished] == [
        "the gradient vanishes on its way to "
    ]  # by whether the process holds another network
    assert [finding.partition(" from")[0] for finding in grown] == ["the gradient grows"]
    assert ", most at " in grown[0]


def test_a_layer_whose_units_saturate_while_training_is_found():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8))
    with ScriptWatch(at=[1, 2]) as watch:
        for _ in range(2):
            model(torch.randn(16, 8)).square().mean().backward()
            with torch.no_grad():
                model[0].weight.zero_()
                model[0].bias.fill_(8.0)  # where the slope of tanh is 4.5e-7
    (found,) = findings_of(watch.seen.looks)
    assert found.startswith("the gradient at 0 fell from ")
    assert "between steps 1 and 2" in found


def _mean(outputs, y):
    return functional.mse_loss(outputs, y)


def _sum(outputs, y):
    return functional.mse_loss(outputs, y, reduction="sum")


def _each(outputs, y):
    return functional.mse_loss(outputs, y, reduction="none")


@pytest.mark.parametrize(
    ("terms", "total"),
    [
        (24, lambda outputs, y, ce: ce + _sum(outputs, y)),
        (24, lambda outputs, y, ce: (0.5 * ce + _sum(outputs, y)) / 2),
        (24, lambda outputs, y, ce: torch.stack([ce, _each(outputs, y).sum()]).sum()),
        (
            8,
            lambda outputs, y, _: (
                _mean(outputs, y) + functional.cross_entropy(outputs, y[:, 0].long(), reduction="sum")
            ),
        ),
    ],
    ids=["sum", "accumulated", "sum of each", "cross-entropy"],
)
def test_a_sum_over_the_batch_beside_a_mean_is_found(model, terms, total):
    with ScriptWatch(at=[1, 2]) as watch:
        for _ in range(2):
            outputs, y = model(torch.randn(8, 40)), torch.rand(8, 3)
            total(outputs, y, functional.cross_entropy(outputs, torch.arange(8) % 3)).backward()
    found = [finding for finding in findings_of(watch.seen.looks) if "of a batch" in finding]
    assert len(found) == 1
    assert f"is the sum of {terms} losses of a batch and" in found[0]


MASK = torch.tensor([1.0, 1, 1, 0, 0, 1, 0, 1])[:, None]


@pytest.mark.parametrize(
    "beside",
    [
        lambda outputs, y, model: (_each(outputs, y) * MASK).sum() / MASK.sum(),
        lambda outputs, y, model: _sum(outputs[:1], y[:1]),
        lambda outputs, y, model: _sum(outputs, y) / 1,
        lambda outputs, y, model: _sum(outputs, y) / torch.tensor(8),
        lambda outputs, y, model: _sum(outputs, y) * (1 / 24),
        lambda outputs, y, model: _each(outputs, y).sum(1).mean(),
        lambda outputs, y, model: (_each(outputs, y) * torch.full((8, 1), 1 / 8)).sum(),
        lambda outputs, y, model: sum(_sum(one, other) for one, other in zip(outputs, y, strict=True)) / 8,
        lambda outputs, y, model: (outputs.exp() * torch.linspace(0, 0.25, 8)[:, None]).sum(),
        lambda outputs, y, model: model[0].weight.square().sum(),
        lambda outputs, y, model: -0.5 * (1 + outputs - outputs.exp()).sum(1).mean(),
    ],
    ids=[
        *("masked", "one sample", "over a count of 1", "over a count", "times one over it", "sum of each, mean"),
        *("weights that sum to 1", "one by one", "weights by hand", "penalty", "KL"),
    ],
)
def test_how_a_loss_is_reduced_is_not_guessed(model, beside):
    """By a count or weights that sum to one a sum is a mean, and what is summed by hand may be a penalty."""
    with ScriptWatch(at=[1, 2]) as watch:
        for _ in range(2):
            outputs, y = model(torch.randn(8, 40)), torch.rand(8, 3)
            (functional.cross_entropy(outputs, torch.arange(8) % 3) + beside(outputs, y, model)).backward()
    assert not [finding for finding in findings_of(watch.seen.looks) if "batch" in finding]


def penalised(how, ce, parameters):
    if how == "summed":
        l2 = sum(p.square().sum() for p in parameters)
        return ce + 1e-4 * l2
    if how == "stacked":
        l2 = torch.stack([p.norm() for p in parameters]).sum()
        return ce + 1e-4 * l2
    for l2 in parameters:
        ce = ce + 1e-4 * l2.abs().sum()
    return ce


@pytest.mark.skipif(sys.version_info < (3, 11), reason="names of expressions are known from Python 3.11 on")
@pytest.mark.parametrize("how", ["summed", "stacked", "added"])
def test_penalties_on_all_parameters_are_one_part_and_may_be_small(how):
    """More than get a pass each; neither that they are small beside the loss nor that they oppose it is a fault."""
    torch.manual_seed(0)
    model = nn.Sequential(*[layer for _ in range(18) for layer in (nn.Linear(8, 8), nn.Tanh())])
    with ScriptWatch(at=[1, 2, 100]) as watch:
        for step in range(100):
            ce = functional.cross_entropy(model(torch.randn(8, 8)), torch.arange(8) % 8)
            total = penalised(how, ce, list(model.parameters()))
            total.backward() if step in (0, 1, 99) else torch.autograd.backward([ce])
    seen = [look for look in watch.seen.looks if len(look.parts) > 1]
    assert [(part.name, part.is_penalty) for part in seen[0].parts] == [
        ("ce", False),
        ("l2.abs().sum" if how == "added" else "l2", True),
    ]
    assert seen[0].parts[1].factor == pytest.approx(1e-4)
    assert seen[0].parts[1].value == pytest.approx(
        sum(
            {"summed": p.square().sum, "stacked": p.norm, "added": p.abs().sum}[how]().item()
            for p in model.parameters()
        ),
        rel=1e-5,
    )
    assert findings_of(seen) == []


def test_a_penalty_that_drowns_the_losses_is_found(model):
    with ScriptWatch(at=[1, 2]) as watch:
        for _ in range(2):
            ce = functional.cross_entropy(model(torch.randn(8, 40)), torch.arange(8) % 3)
            l2 = sum(p.square().sum() for p in model.parameters())
            (ce + 100 * l2).backward()
    assert "'l2' has 9" in findings_of(watch.seen.looks)[0]


@pytest.mark.parametrize(("factor", "words"), [(1e-4, "is that meant?"), (1.0, "")])
def test_whether_a_small_factor_is_meant_is_asked_once(model, factor, words):
    """And nothing is said to dominate for it."""
    with ScriptWatch(at=[1, 2]) as watch:
        for _ in range(2):
            outputs = model(torch.randn(8, 40))
            ce, sparse = functional.cross_entropy(outputs, torch.arange(8) % 3), outputs.abs().mean()
            (ce + factor * sparse).backward()
    found = findings_of(watch.seen.looks)
    assert len(found) == bool(words)
    assert all(words in finding for finding in found)


def test_sums_beside_sums_are_no_fault(model):
    with ScriptWatch(at=[1, 2]) as watch:
        for _ in range(2):
            outputs, y = model(torch.randn(8, 40)), torch.rand(8, 3)
            near = functional.cross_entropy(outputs, torch.arange(8) % 3, reduction="sum")
            (near + _sum(outputs, y)).backward()
    assert not [finding for finding in findings_of(watch.seen.looks) if "batch" in finding]


@pytest.mark.parametrize("warm_up", [lambda i: i / 20, lambda i: 1e-5 ** (1 - i / 20)], ids=["from 0", "from 1e-5"])
def test_a_loss_that_is_warmed_up_does_not_explode(model, warm_up):
    with ScriptWatch(at=[1, 20]) as watch:
        for i in range(20):
            outputs = model(torch.randn(8, 40))
            near, far = outputs[:, 0].square().mean(), (outputs[:, 1] - 1).square().mean()
            (warm_up(i) * (near + far)).backward()
    assert findings_of(watch.seen.looks) == []


@pytest.mark.parametrize(("batch", "actions"), [(1, 1), (8, 400)], ids=["one sample", "chosen actions"])
def test_outputs_that_another_batch_reaches_are_not_dead(batch, actions):
    """Of a batch of one, whose ReLUs are off elsewhere; and of a value for each of many actions, with few taken."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, actions))
    with torch.no_grad():
        model[0].weight.copy_(torch.cat([torch.eye(4), torch.zeros(4, 4)], 1))
        model[0].bias.fill_(0.1 if batch > 1 else 0.0)
    with ScriptWatch(at=[1, 2, 3]) as watch:
        for i in range(3):
            x = torch.eye(8)[i].expand(batch, 8)
            outputs = model(x).gather(1, torch.randint(actions, (batch, 1)))
            (outputs - 1).square().mean().backward()
    assert not [finding for finding in findings_of(watch.seen.looks) if "no gradient" in finding]


@pytest.mark.parametrize("mode", [nullcontext(), torch.device("cpu")], ids=["", "default device"])
@pytest.mark.parametrize("method", [eq.Sum, eq.RLW, eq.PCGrad])
def test_losses_that_equipoise_balances_have_the_tasks_names(model, method, mode):
    """A loss weighting's are split; a gradient method's scalar makes one pass, which is the script's own."""
    balancer = eq.Balancer(method(), model, tasks={"kind": 1.0, "size": 2.0})
    with mode, ScriptWatch(at=[1, 2]) as watch:
        for _ in range(2):
            outputs = model(torch.randn(8, 40))
            losses = {"kind": functional.cross_entropy(outputs, torch.arange(8) % 3), "size": outputs.square().mean()}
            balancer(losses).backward()
    if method is eq.PCGrad:
        assert balancer.record.step == 2
        assert "balances these losses" in watch.seen.problems[0]
    else:
        assert [part.name for part in watch.seen.looks[0].parts] == ["kind", "size"]
        assert watch.seen.looks[0].constants == {}
