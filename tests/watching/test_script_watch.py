"""A watch sees each loss of a loop that knows nothing of it, and leaves no trace in it."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

import equipoise as eq
from equipoise.watching import ScriptWatch
from equipoise.watching.findings import findings_of
from equipoise.watching.page import page_of


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(40, 64), nn.ReLU(), nn.Dropout(0.3), nn.BatchNorm1d(64))
        self.kind, self.size = nn.Linear(64, 3), nn.Linear(64, 1)

    def forward(self, x):
        features = checkpoint(self.trunk, x, use_reentrant=False)
        return self.kind(features), self.size(features)[:, 0]


def train(steps=12, factor=0.1, hear=None):
    torch.manual_seed(0)
    model = Network()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    if hear is not None:
        model.kind.register_full_backward_hook(lambda *_: hear.append("module"))
        model.size.weight.register_hook(lambda _: hear.append("parameter"))
    for _ in range(steps):
        x, y = torch.randn(8, 40), torch.randint(3, (8,))
        kind, size = model(x)
        if hear is not None:
            kind.register_hook(lambda _: hear.append("activation"))
        ce = functional.cross_entropy(kind, y)
        losses = {"size": functional.mse_loss(size, x[:, 0])}
        loss = ce + factor * losses["size"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [p.detach().clone() for p in model.state_dict().values()], torch.rand(1), optimizer.state_dict()["state"]


def test_it_leaves_no_trace():
    """Parameters, running statistics, the optimiser's state and the next random number are equal to the bit."""
    plain = train()
    with ScriptWatch() as watch:
        watched = train()
    assert [look.step for look in watch.seen.looks] == [1, 10]
    assert watch.seen.problems == []
    for one, other in zip([*plain[0], plain[1]], [*watched[0], watched[1]], strict=True):
        assert torch.equal(one, other)
    assert str(plain[2]) == str(watched[2])


def test_hooks_run_as_often_as_without_it():
    """On activations, modules and parameters."""
    plain, watched = [], []
    train(hear=plain)
    with ScriptWatch():
        train(hear=watched)
    assert watched == plain


def test_names_values_factors_and_gradients_of_the_losses():
    """A variable, and a key of a dict; gradients against those of the losses taken by hand."""
    with ScriptWatch(at=[1]) as watch:
        train(steps=1)
    (look,) = watch.seen.looks
    torch.manual_seed(0)
    model = Network()
    x, y = torch.randn(8, 40), torch.randint(3, (8,))
    kind, size = model(x)
    losses = {"ce": functional.cross_entropy(kind, y), "size": functional.mse_loss(size, x[:, 0])}
    assert [part.name for part in look.parts] == list(losses)
    assert [part.value for part in look.parts] == pytest.approx([loss.item() for loss in losses.values()])
    assert [part.factor for part in look.parts] == pytest.approx([1, 0.1])
    shared = list(model.trunk.parameters())
    rows = [
        torch.cat([g.flatten() for g in torch.autograd.grad(f * loss, shared, retain_graph=True)]).double()
        for f, loss in zip((1, 0.1), losses.values(), strict=True)
    ]
    torch.testing.assert_close(
        torch.tensor(look.gramian, dtype=torch.float64), torch.stack(rows) @ torch.stack(rows).T, rtol=1e-4, atol=1e-9
    )
    assert {layer.name for layer in look.layers} == {"trunk.0", "trunk.3", "kind", "size"}


@pytest.mark.parametrize("opposed", [True, False])
def test_a_share_below_zero_is_explained_where_there_is_one(opposed):
    weight = torch.ones(40, requires_grad=True)
    with ScriptWatch(at=[1]) as watch:
        near, far = weight.sum(), (-0.5 if opposed else 0.5) * weight.sum()
        (near + far).backward()
    page = page_of([watch.seen])
    assert ("-100.0 %" in page) == opposed
    assert ("the step goes against that loss" in " ".join(page.split())) == opposed


def test_two_lines_that_go_backward_are_seen_apart():
    """As the two optimisers of a GAN do."""
    torch.manual_seed(0)
    model = nn.Linear(40, 3)
    with ScriptWatch(at=[2]) as watch:
        for _ in range(3):
            outputs = model(torch.randn(4, 40))
            real, fake = outputs.pow(2).mean(), outputs.abs().mean()
            (real + fake).backward(retain_graph=True)
            fake.backward()
    assert [len(look.parts) for look in watch.seen.looks] == [2, 1]
    assert list(watch.seen.calls.values()) == [3, 3]


def test_a_failure_of_its_own_ends_nothing():
    """A graph that allows one pass only is said to be one."""

    passes = []

    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, gradient):
            passes.append(ctx)
            if len(passes) > 1:
                raise RuntimeError("this node is gone")
            return gradient * 2

    weight = torch.ones(40, requires_grad=True)
    with ScriptWatch(at=[1]) as watch:
        out = Once.apply(weight)
        loss = out.sum() + out.pow(2).sum()
        with pytest.raises(RuntimeError, match="this node is gone"):
            loss.backward()
    assert "this node is gone" in watch.seen.problems[0]


def test_everything_is_put_back():
    before = torch.autograd.backward, torch.Tensor.register_hook, torch.stack
    with ScriptWatch():
        pass
    assert (torch.autograd.backward, torch.Tensor.register_hook, torch.stack) == before
    assert "__add__" not in vars(torch.Tensor)


def test_the_scale_of_mixed_precision_is_taken_out():
    """Values, factors and gradients are those without a GradScaler."""

    def look(scaled):
        torch.manual_seed(0)
        model = nn.Linear(40, 3)
        scaler = torch.amp.GradScaler("cpu", enabled=scaled)
        with ScriptWatch(at=[1]) as watch:
            outputs = model(torch.randn(4, 40))
            a, b = outputs.pow(2).mean(), outputs.abs().mean()
            scaler.scale(a + 3 * b).backward()
        return watch.seen.looks[0]

    plain, scaled = look(False), look(True)
    assert scaled.scale == 65536
    assert [p.factor for p in scaled.parts] == pytest.approx([p.factor for p in plain.parts])
    assert scaled.total == pytest.approx(plain.total)
    torch.testing.assert_close(torch.tensor(scaled.gramian), torch.tensor(plain.gramian))


def planted(fault, steps=10):
    torch.manual_seed(0)
    model = Network()
    for step in range(steps):
        x, y = torch.randn(8, 40), torch.randint(3, (8,))
        kind, size = model(x)
        ce, mse = functional.cross_entropy(kind, y), functional.mse_loss(size, x[:, 0])
        loss = fault(ce, mse, kind, size, y, model, step)
        loss.backward()


def scaled(loss, weight):
    return weight * loss


FAULTS = {
    "one channel": (
        lambda ce, mse, kind, size, y, *_: mse + functional.cross_entropy(kind[:, :1], 0 * y),
        "is exactly 0",
    ),
    "detached": (lambda ce, mse, kind, *_: ce + mse + kind.detach().pow(2).mean(), "has no graph"),
    "a small factor": (lambda ce, mse, *_: ce + 1e-4 * mse, "hardly trained"),
    "a gain": (lambda ce, mse, kind, *_: 0.03 * ce + mse + 0 * kind.sum(), "the gradient of 'ce' is below"),
    "a large scale": (lambda ce, mse, *_: ce + 1e5 * mse, "hardly train them"),
    "twice": (lambda ce, mse, kind, *_: ce + mse + 2 * kind.pow(2).mean() + kind.pow(2).mean(), "parallel"),
    "opposed": (lambda ce, mse, *_: ce + mse - 0.5 * ce.square(), "conflict at every step"),
    "a weight twice": (lambda ce, mse, *_, w=0.3: ce + w * scaled(mse, w), "by the same weight at two places"),
    "a number": (lambda ce, mse, kind, *_: ce + mse + 0.1 * kind.pow(2).mean().item(), "has no graph"),
    "absent": (lambda ce, mse, kind, *args: ce + mse + kind.abs().mean() if args[-1] < 2 else ce + mse, "until step 1"),
    "not finite": (
        lambda ce, mse, kind, *_: ce + mse + (kind - kind.detach()).abs().sqrt().sum(),
        "not finite",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_planted_faults_are_found(name):
    fault, words = FAULTS[name]
    with ScriptWatch() as watch:
        planted(fault, steps=100 if name in ("opposed", "absent") else 10)
    assert any(words in finding for finding in findings_of(watch.seen.looks)), findings_of(watch.seen.looks)


def test_dead_units_are_found():
    def kill(ce, mse, kind, size, y, model, step):
        with torch.no_grad():
            model.trunk[0].bias.fill_(-100)
        return ce + mse

    with ScriptWatch(at=[2, 10]) as watch:
        planted(kill)
    assert any("trunk.0 (64 of 64)" in finding for finding in findings_of(watch.seen.looks))
    assert findings_of(watch.seen.looks[1:]) == []  # one batch may have none of what a unit answers to


def test_nothing_is_found_where_nothing_is_wrong():
    with ScriptWatch() as watch:
        planted(lambda ce, mse, *_: ce + mse)
    assert findings_of(watch.seen.looks) == []


def test_in_a_notebook(capsys):
    """``eq.watch()`` prints what it saw at its end."""
    with eq.watch(at=[1, 2]):
        train(steps=3, factor=1e-4)
    page = capsys.readouterr().out
    assert "steps 1, 2 of 3; the numbers are of step 2" in " ".join(page.split())
    assert "'size' is below" in page


def test_a_loss_that_is_computed_by_several_lines_has_the_name_of_the_last():
    """``kl = -0.5 * mean(...)`` is one loss, with its own value; the parts of ``both`` stay apart, inside of it."""
    weight = torch.randn(40, requires_grad=True)
    with ScriptWatch(at=[1]) as watch:
        kl = -0.5 * weight.square().mean()
        first, second = weight.exp().mean(), weight.abs().mean()
        both = first + 2 * second
        total = (0.1 * kl + both) / 2
        total.backward()
    parts = watch.seen.looks[0].parts
    assert [(part.group, part.name) for part in parts] == [("kl", "kl"), ("both", "first"), ("both", "second")]
    assert [part.factor for part in parts] == pytest.approx([0.05, 0.5, 1])
    assert parts[0].value == pytest.approx(kl.item())


def test_a_factor_of_zero_and_rows_of_a_table_are_no_faults():
    """The table shows the factor; an embedding's rows that a batch does not hold are not dead."""
    torch.manual_seed(0)
    table, head = nn.Embedding(100, 40), nn.Linear(40, 3)
    with ScriptWatch(at=[1, 2]) as watch:
        for _ in range(2):
            outputs = head(table(torch.arange(5)))
            entropy, ce = outputs.pow(2).mean(), functional.cross_entropy(outputs, torch.tensor([0, 1, 2, 0, 1]))
            (ce + 0.0 * entropy).backward()
    assert findings_of(watch.seen.looks) == []
