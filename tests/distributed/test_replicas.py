"""Several ranks, each on its share of the batch, train as one process on the joint batch does."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.testing import assert_close

import equipoise as eq

NAMES = ("a", "b", "c")
STEPS = 4
METHODS = {
    "sum": eq.Sum,
    "fixed": lambda: eq.Fixed([1.0, 2.0, 0.5]),
    "uw": eq.UW,
    "gls": lambda: eq.method("gls"),
    "rlw": lambda: eq.method("rlw"),
    "mgda": eq.MGDA,
    "pcgrad": eq.PCGrad,
    "nash-mtl": eq.NashMTL,
    "upgrad": lambda: eq.method("upgrad"),
    "graddrop": lambda: eq.method("graddrop"),
    "uw, mgda": lambda: eq.Chain(eq.UW(), eq.MGDA()),
    "every": lambda: eq.Every(2, eq.MGDA()),
}
GRADIENT_METHODS = ["mgda", "pcgrad", "nash-mtl", "upgrad", "graddrop", "uw, mgda"]


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh())
        self.heads = nn.ModuleDict({name: nn.Linear(8, 2) for name in NAMES})

    def forward(self, x):
        z = self.trunk(x)
        return {"z": z, **{name: head(z) for name, head in self.heads.items()}}


def batch(step, size=12):
    """Inputs, targets with missing labels, unevenly over the samples."""
    generator = torch.Generator().manual_seed(step)
    x = torch.randn(size, 5, generator=generator)
    targets = {name: (3.0**k) * torch.randn(size, 2, generator=generator) for k, name in enumerate(NAMES)}
    targets["b"][: size // 3 + step] = torch.nan
    targets["c"][size // 2 :] = torch.nan  # the second half of the ranks never sees a label of c
    return x, targets


def train(rank, size, name, wrap=None, where="parameters", route="auto", make=Net, is_even=True):
    """Parameters after some steps, and what the balancer recorded."""
    torch.manual_seed(0)
    net = make()
    model = net if size == 1 or wrap is None else DistributedDataParallel(net, **wrap)
    tasks = eq.Tasks([eq.Task(name, nn.MSELoss(), weight=1.0 + (name == "b")) for name in NAMES])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chosen = net.trunk[2] if where == "chosen" else None
        balancer = eq.Balancer(METHODS[name](), model, tasks=tasks, gramian_from=chosen, route=route)
    optimizer = torch.optim.SGD([*net.parameters(), *balancer.parameters()], lr=0.02, momentum=0.9)
    records = []
    for step in range(STEPS):
        x, targets = batch(step)
        cuts = [r * len(x) // size for r in range(size)] if is_even else [min(r * 5, len(x) - 1) for r in range(size)]
        mine = slice(cuts[rank], [*cuts, len(x)][rank + 1])
        outputs = model(x[mine])
        losses = tasks.losses(outputs, {task: target[mine] for task, target in targets.items()})
        optimizer.zero_grad()
        loss = balancer(losses, representation=outputs["z"] if where == "representation" else None)
        loss.backward()
        optimizer.step()
        record = balancer.record
        records.append((loss.item(), record.losses, record.weights, record.gramian))
    if route == "factored" and size > 1:
        assert record.route.startswith("factored"), record.route
    state = {key: value.clone() for key, value in net.state_dict().items()}
    return state, records, {key: value.clone() for key, value in balancer.method.state_dict().items()}


def check_same(team, size, name, **options):
    alone = {k: v for k, v in options.items() if k not in ("wrap", "route", "is_even")}
    expected, records, method = train(0, 1, name, **alone)
    answers = team(_train, name, options)
    for state, theirs, theirs_method in answers:
        for key in expected:
            assert_close(state[key], expected[key], rtol=2e-5, atol=2e-6, msg=lambda m, key=key: f"{name} {key}: {m}")
            assert torch.equal(state[key], answers[0][0][key]), f"replicas differ in {key}"
        assert_close(theirs_method, method, rtol=1e-4, atol=1e-6)
        for (loss, losses, weights, gramian), (its, its_losses, its_weights, its_gramian) in zip(
            records, theirs, strict=True
        ):
            assert its == pytest.approx(loss, rel=1e-5)
            assert its_losses == pytest.approx(losses, rel=1e-5)
            assert its_weights == pytest.approx(weights, rel=1e-4)
            if gramian is not None:
                assert_close(its_gramian, gramian, rtol=1e-4, atol=1e-6 * float(gramian.trace()))


def _train(rank, size, name, options):
    return train(rank, size, name, **{"wrap": {}, **options})


@pytest.mark.parametrize("name", METHODS)
def test_two_ranks_train_as_one_process_on_the_joint_batch(two, name):
    check_same(two, 2, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_four_ranks_train_as_one_process_on_the_joint_batch(four, name):
    check_same(four, 4, name)


@pytest.mark.parametrize("name", ["mgda", "pcgrad", "nash-mtl"])
@pytest.mark.parametrize("where", ["chosen", "representation"])
def test_gradients_compared_elsewhere(two, name, where):
    check_same(two, 2, name, where=where)


@pytest.mark.paired
@pytest.mark.parametrize("name", ["sum", "uw", "mgda", "graddrop"])
@pytest.mark.parametrize(
    "wrap",
    [
        {"find_unused_parameters": True},
        {"static_graph": True},
        {"gradient_as_bucket_view": True},
        {"find_unused_parameters": True, "static_graph": True},
    ],
    ids=lambda wrap: ", ".join(wrap),
)
def test_every_setting_of_ddp(two, name, wrap):
    check_same(two, 2, name, wrap=wrap)


class Text(nn.Module):
    """A table with padding, looked up twice; a weight used twice, and one on the left of a product."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(30, 6, padding_idx=0)
        self.mix, self.left = nn.Linear(6, 6), nn.Parameter(torch.eye(6) + 0.1)
        self.heads = nn.ModuleDict({name: nn.Linear(6, 2) for name in NAMES})

    def forward(self, x):
        tokens = (x * 3).long().abs()  # [N, 5]
        words = self.table(tokens).mean(dim=1) + self.table(tokens[:, 0])
        z = torch.tanh(self.mix(torch.tanh(self.mix(words))))
        z = z + (self.left @ z.mT).mT
        return {"z": z, **{name: head(z) for name, head in self.heads.items()}}


@pytest.mark.needs("seen_hooks")
@pytest.mark.paired
@pytest.mark.parametrize("is_even", [True, False])
@pytest.mark.parametrize("make", [Net, Text])
@pytest.mark.parametrize("name", ["mgda", "pcgrad", "nash-mtl", "uw, mgda"])
def test_layers_by_factors_that_meet_on_one_rank(two, name, make, is_even):
    check_same(two, 2, name, make=make, route="factored", is_even=is_even)


@pytest.mark.slow
@pytest.mark.parametrize("make", [Net, Text])
def test_layers_by_factors_of_four_ranks(four, make):
    check_same(four, 4, "mgda", make=make, route="factored", is_even=False)
