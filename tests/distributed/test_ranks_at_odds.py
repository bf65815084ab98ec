"""Ranks that see different things: absent tasks, no labels at all, bad numbers, other methods."""

import contextlib
import copy
import warnings

import pytest
import torch
from test_replicas import NAMES, Net, batch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.testing import assert_close

import equipoise as eq


def losses_of(outputs, targets, present):
    return {name: ((outputs[name] - targets[name].nan_to_num()) ** 2).mean() for name in present}


def gradients(net):
    return {name: None if p.grad is None else p.grad.clone() for name, p in net.named_parameters()}


def one_step(rank, size, method, present, counts=None, spoilt=None, wrap=None, steps=1):
    """Gradients of a step in which this rank has some tasks only."""
    torch.manual_seed(0)
    net = Net()
    model = net if wrap is None else DistributedDataParallel(net, **wrap)
    balancer = eq.Balancer(eq.method(method), model, tasks=NAMES)
    for step in range(steps):
        x, targets = batch(step)
        mine = slice(rank * len(x) // size, (rank + 1) * len(x) // size)
        outputs = model(x[mine])
        losses = losses_of(outputs, {name: target[mine] for name, target in targets.items()}, present[rank])
        if spoilt == rank:
            losses["a"] = losses["a"] * torch.inf
        net.zero_grad()
        balancer(losses, counts=None if counts is None else counts[rank]).backward()
    record = balancer.record if balancer.steps else None
    return gradients(net), record and record.names, record and record.weights, record and record.skipped


def definition(present, counts, size=2):
    """Mean rows of the joint batch by plain autograd, and each head's mean gradient."""
    torch.manual_seed(0)
    net = Net()
    x, targets = batch(0)
    total = dict.fromkeys(NAMES, 0.0)
    for rank in range(size):
        mine = slice(rank * len(x) // size, (rank + 1) * len(x) // size)
        found = losses_of(net(x[mine]), {name: target[mine] for name, target in targets.items()}, present[rank])
        for name, loss in found.items():
            total[name] = total[name] + loss * counts[rank].get(name, 1.0)
    labels = {name: sum(counts[r].get(name, 1.0) for r in range(size) if name in present[r]) for name in NAMES}
    return net, {name: total[name] / labels[name] for name in NAMES if labels[name]}


@pytest.mark.paired
@pytest.mark.parametrize(
    "present", [[["a", "b"], ["b", "c"]], [["a"], ["b", "c"]], [["a", "b", "c"], []], [["a"], ["a", "b"]]]
)
@pytest.mark.parametrize("method", ["sum", "mgda", "upgrad", "graddrop"])
def test_a_task_absent_on_a_rank_or_on_all(two, method, present):
    every = [{"a": 5, "b": 1, "c": 1}, {"a": 2, "b": 3, "c": 7}]
    counts = [{name: of[name] for name in here} for of, here in zip(every, present, strict=True)]
    net, losses = definition(present, counts)
    eq.Balancer(eq.method(method), net, tasks=NAMES)(losses).backward()
    expected = gradients(net)
    for found, names, *_ in two(one_step, method, present, counts, None, {}):
        assert names == tuple(name for name in NAMES if name in losses)
        for name, gradient in expected.items():
            if gradient is None:  # absent everywhere: DDP waits for a gradient, and nothing is one
                assert found[name] is None or not found[name].any()
            else:
                assert_close(found[name], gradient, rtol=1e-5, atol=1e-6)


def test_a_batch_without_a_label_on_any_rank(two):
    for found, names, *_ in two(one_step, "mgda", [[], []], None, None, {}, 2):
        assert names is None
        assert not any(gradient is not None and gradient.any() for gradient in found.values())


@pytest.mark.parametrize("spoilt", [0, 1])
def test_a_loss_that_is_not_finite_on_one_rank_skips_the_method_on_all(two, spoilt):
    everyone = [list(NAMES), list(NAMES)]
    for found, _, weights, skipped in two(one_step, "mgda", everyone, None, spoilt, {}):
        assert skipped
        assert set(weights.values()) == {1.0}
        assert not found["trunk.0.weight"].isfinite().all()


def differing(rank, size):
    net = Net()
    losses = losses_of(net(torch.ones(2, 5)), dict.fromkeys(NAMES, torch.zeros(2, 2)), NAMES)
    eq.Balancer(eq.MGDA() if rank == 0 else eq.PCGrad(), net, tasks=NAMES)(losses)


def test_ranks_with_different_methods_are_told_apart(two):
    with pytest.raises(RuntimeError, match=r"ranks differ in what they train: rank 0 has MGDA.*rank 1 has PCGrad"):
        two(differing)


def weights_set(rank, size, by_rank):
    net = Net()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    for weight in (2.0, by_rank[rank]):
        balancer.set_weights({NAMES[0]: weight})
        balancer(losses_of(net(torch.ones(2, 5)), dict.fromkeys(NAMES, torch.zeros(2, 2)), NAMES)).backward()


def test_weights_set_on_all_ranks_and_weights_set_on_one(two):
    two(weights_set, (3.0, 3.0))
    with pytest.raises(RuntimeError, match=r"ranks differ in what they train: rank 0 has .*3\.0.*rank 1 has .*4\.0"):
        two(weights_set, (3.0, 4.0))


def test_a_count_that_is_none_of_labels(two):
    everyone = [list(NAMES), list(NAMES)]
    with pytest.raises(RuntimeError, match="counts of task 'a' must be 0 or more labels, got -1"):
        two(one_step, "mgda", everyone, [{"a": -1.0}, {"a": -1.0}], None, None)


def compared_after_steps(rank, size, present):
    """The state of a method that compares losses before and after a step, each rank having its own."""
    torch.manual_seed(0)
    net = Net()
    model = DistributedDataParallel(net) if size > 1 else net
    balancer = eq.Balancer(eq.FAMO(), model, tasks=dict(zip(NAMES, (1.0, 2.0, 1.0), strict=True)))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    x, targets = batch(0)
    bounds = [0, 3, len(x)]  # ranks of unlike sizes
    for _ in range(4):
        for is_after in (False, True):
            losses, counts = {}, {}
            outputs = model(x if size == 1 else x[bounds[rank] : bounds[rank + 1]])
            for name in NAMES:
                parts = [slice(*bounds[r : r + 2]) for r in range(2) if name in present[r] and (size == 1 or r == rank)]
                if parts:
                    whole = torch.cat([x[part] for part in parts])
                    target = torch.cat([targets[name][part] for part in parts]).nan_to_num()
                    output = outputs[name] if size > 1 else net(whole)[name]
                    losses[name], counts[name] = (output - target).square().mean() + 0.1, len(target)
            if is_after:
                balancer.after_step(losses, counts=counts)
            else:
                optimizer.zero_grad()
                balancer(losses, counts=counts).backward()
                optimizer.step()
    return balancer.method.logits.clone()


@pytest.mark.filterwarnings("ignore:FAMO")
@pytest.mark.parametrize("present", [[NAMES, NAMES], [["a", "b"], ["b", "c"]], [NAMES, []]])
def test_losses_after_a_step_are_those_of_all_ranks(two, present):
    first, second = two(compared_after_steps, present)
    assert torch.equal(first, second)
    assert_close(first, compared_after_steps(0, 1, present))
    assert first.abs().min() > 1e-3


def known_of(rank, size):
    net = Net()
    losses = losses_of(net(torch.ones(2, 5)), dict.fromkeys(NAMES, torch.zeros(2, 2)), NAMES)
    known = []
    for model in (net, DistributedDataParallel(net)):
        balancer = eq.Balancer(eq.MGDA(), model, tasks=NAMES)
        balancer(losses)
        known.append(balancer.get_extra_state()["reached"])
    return known


def test_a_state_fits_with_ddp_and_without(two):
    for with_ddp, without in two(known_of):
        assert with_ddp == without


def ending_early(rank, size):
    model = DistributedDataParallel(Net())
    balancer = eq.Balancer(eq.UW(), model, tasks=NAMES)
    with model.join():
        for _ in range(1 + rank):
            zeros = dict.fromkeys(NAMES, torch.zeros(2, 2))
            balancer(losses_of(model(torch.ones(2, 5)), zeros, NAMES)).backward()


def test_ranks_that_may_end_early_are_told(two):
    """A rank that has ended answers collectives of other sizes, which ends the process without an error."""
    with pytest.raises(
        RuntimeError, match=r"rank 0: .*inside join\(\).*rank 1: .*give every rank equally many batches"
    ):
        two(ending_early)


def in_float64(rank, size):
    net = Net().double()
    balancer = eq.Balancer(eq.UW(), DistributedDataParallel(net), tasks=NAMES)
    x, targets = batch(0)
    losses = losses_of(net(x.double()), targets, NAMES if rank == 0 else [])
    loss = balancer(losses)
    return loss.dtype, loss.item(), sum(float(loss) for loss in losses.values())


def test_a_rank_without_a_loss_sees_the_others_in_their_precision(two):
    (dtype, value, expected), other = two(in_float64)
    assert dtype == torch.float64
    assert other[:2] == (dtype, value)
    assert value == pytest.approx(expected, rel=1e-14)


def with_a_frozen_trunk(rank, size):
    torch.manual_seed(0)
    net = Net()
    net.trunk.requires_grad_(False)
    balancer = eq.Balancer(eq.MGDA(), DistributedDataParallel(net) if size > 1 else net, tasks=NAMES)
    x, targets = batch(0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "no parameter is shared")
        balancer(losses_of(net(x), targets, NAMES)).backward()
    return gradients(net)


def test_replicas_that_share_nothing_between_tasks(two):
    expected = with_a_frozen_trunk(0, 1)
    for found in two(with_a_frozen_trunk):
        assert_close(found, expected)


def accumulated(rank, size, method, use_no_sync):
    """Two micro-batches, balanced each, added up; synchronised at the end or each time."""
    torch.manual_seed(0)
    net = Net()
    model = DistributedDataParallel(net) if size > 1 else net
    balancer = eq.Balancer(eq.method(method), model, tasks=NAMES)
    for step in range(2):
        x, targets = batch(step)
        mine = slice(rank * len(x) // size, (rank + 1) * len(x) // size)
        quiet = model.no_sync() if use_no_sync and step == 0 else contextlib.nullcontext()
        with quiet:
            losses = losses_of(model(x[mine]), {name: target[mine] for name, target in targets.items()}, NAMES)
            (balancer(losses) / 2).backward()
    return gradients(net)


@pytest.mark.parametrize("use_no_sync", [True, False])
@pytest.mark.parametrize("method", ["sum", "mgda"])
def test_accumulation(two, method, use_no_sync):
    expected = accumulated(0, 1, method, use_no_sync=False)
    for found in two(accumulated, method, use_no_sync):
        for name, gradient in expected.items():
            assert_close(found[name], gradient, rtol=1e-5, atol=1e-6)


def summed(rank, size, method, use_no_sync):
    """Three micro-batches with labels here and there, balanced once."""
    torch.manual_seed(0)
    net = Net()
    model = DistributedDataParallel(net) if size > 1 else net
    tasks = eq.Tasks([eq.Task(name, nn.MSELoss()) for name in NAMES])
    balancer = eq.Balancer(eq.method(method), model, tasks=tasks)
    balancer.accumulate(3)
    for step in range(3):
        x, targets = batch(step)
        mine = slice(rank * len(x) // size, (rank + 1) * len(x) // size)
        quiet = model.no_sync() if use_no_sync and step < 2 else contextlib.nullcontext()
        with quiet:
            losses = tasks.losses(model(x[mine]), {name: target[mine] for name, target in targets.items()})
            (balancer(losses) / 3).backward()
    return gradients(net), balancer.record.weights, balancer.record.gramian, balancer.record.losses


@pytest.mark.paired
@pytest.mark.parametrize("use_no_sync", [True, False])
@pytest.mark.parametrize("method", ["uw", "mgda", "graddrop", "moco"])
def test_micro_batches_of_all_ranks_balanced_once(two, method, use_no_sync):
    expected, weights, gramian, losses = summed(0, 1, method, use_no_sync=False)
    for found, its_weights, its_gramian, its_losses in two(summed, method, use_no_sync):
        assert its_weights == pytest.approx(weights, rel=1e-5)
        assert its_losses == pytest.approx(losses, rel=1e-5)
        if gramian is not None:
            assert_close(its_gramian, gramian, rtol=1e-5, atol=1e-6 * float(gramian.trace()))
        for name, gradient in expected.items():
            assert_close(found[name], gradient, rtol=1e-5, atol=1e-6)


def unfinished(rank, size):
    net = Net()
    balancer = eq.Balancer(eq.MGDA(), DistributedDataParallel(net), tasks=NAMES)
    balancer.accumulate(3)
    x, targets = batch(0)
    balancer(losses_of(net(x), targets, NAMES)).backward()
    balancer.finish()


def test_what_waits_has_no_forward_pass_to_be_averaged_after(two):
    with pytest.raises(RuntimeError, match=r"finish\(\) has no forward pass of DDP"):
        two(unfinished)


def local(rank, size):
    torch.manual_seed(rank)
    net = Net()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES, ranks="local")
    x, targets = batch(0)
    balancer(losses_of(net(x), targets, NAMES)).backward()
    alone = copy.deepcopy(net)
    alone.zero_grad()
    rows = [
        torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(alone.trunk.parameters()), retain_graph=True)])
        for loss in losses_of(alone(x), targets, NAMES).values()
    ]
    return torch.stack(rows), torch.cat([p.grad.flatten() for p in net.trunk.parameters()]), balancer.record.weights


def test_a_rank_may_balance_by_itself(two):
    for rows, found, weights in two(local):
        assert_close(found, torch.tensor(list(weights.values())).to(rows) @ rows, rtol=1e-5, atol=1e-6)
    assert two(local)[0][2] != two(local)[1][2]


def long_run(rank, size, method, steps):
    torch.manual_seed(0)
    net = Net()
    model = DistributedDataParallel(net)
    balancer = eq.Balancer(eq.method(method), model, tasks=NAMES)
    optimizer = torch.optim.Adam([*net.parameters(), *balancer.parameters()], lr=1e-3)
    lots = torch.Generator().manual_seed(17 + rank)
    for step in range(steps):
        x, targets = batch(step % 4)
        mine = slice(rank * len(x) // size, (rank + 1) * len(x) // size)
        present = [name for name in NAMES if torch.rand((), generator=lots) > 0.4]
        counts = {name: float(torch.randint(1, 9, (), generator=lots)) for name in present}
        losses = losses_of(model(x[mine]), {name: target[mine] for name, target in targets.items()}, present)
        optimizer.zero_grad()
        balancer(losses, counts=counts).backward()
        optimizer.step()
    return net.state_dict(), balancer.state_dict()


RUNS = [(name, 200) for name in ("mgda", "pcgrad", "nash-mtl", "uw", "graddrop", "moco")]


@pytest.mark.parametrize(("method", "steps"), [("mgda", 40), *(pytest.param(*r, marks=pytest.mark.slow) for r in RUNS)])
def test_replicas_stay_bit_identical_over_steps_of_random_tasks(two, method, steps):
    (first, state), (second, other) = two(long_run, method, steps)
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    torch.testing.assert_close(
        {key: value for key, value in state.items() if isinstance(value, torch.Tensor)},
        {key: value for key, value in other.items() if isinstance(value, torch.Tensor)},
        rtol=0,
        atol=0,
    )
    assert state["_extra_state"] == other["_extra_state"]


def test_a_module_hook_on_a_model_of_several_outputs_joins_nothing():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk, self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 1), nn.Linear(3, 1)

        def forward(self, x):
            z = self.trunk(x)
            return self.a(z), self.b(z)

    net = Two()
    net.register_full_backward_hook(lambda *_: None)
    a, b = net(torch.ones(2, 3, requires_grad=True))
    balancer = eq.Balancer(eq.MGDA(), net, tasks=["a", "b"])
    balancer({"a": a.sum(), "b": 3 * b.sum()}).backward()
    assert dict(balancer.get_extra_state()["reached"])["a.weight"] == 0b01
    assert dict(balancer.get_extra_state()["reached"])["b.weight"] == 0b10
    assert_close(net.a.weight.grad, net.trunk(torch.ones(2, 3)).sum(dim=0, keepdim=True))


class Repeats(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(5, 5)
        self.heads = nn.ModuleDict({name: nn.Linear(5, 2) for name in NAMES})

    def forward(self, x, times):
        for _ in range(times):
            x = torch.tanh(self.mix(x))
        return {name: head(x) for name, head in self.heads.items()}


def used_unlike(rank, size, route):
    """Rank 1 uses a layer twice, which rank 0 uses once; or one process does both."""
    torch.manual_seed(0)
    net = Repeats()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES, route=route)
    x, targets = batch(0)
    mean = dict.fromkeys(NAMES, 0.0)
    for part in [rank] if size > 1 else range(2):
        mine = slice(part * 6, part * 6 + 6)
        losses = losses_of(net(x[mine], part + 1), {name: target[mine] for name, target in targets.items()}, NAMES)
        mean = {name: mean[name] + loss / (1 if size > 1 else 2) for name, loss in losses.items()}
    balancer(mean).backward()
    return net.mix.weight.grad, balancer.record.gramian


@pytest.mark.parametrize("route", ["auto", "rows", "batched", "factored"])
def test_ranks_that_use_a_layer_unlike_take_its_rows(two, route):
    expected, gramian = used_unlike(0, 1, "rows")
    for found, its_gramian in two(used_unlike, route):
        assert_close(found, expected, rtol=1e-5, atol=1e-6)
        assert_close(its_gramian, gramian, rtol=1e-5, atol=1e-6)


def with_synced_norm(rank, size, method, present, at_representation, training):
    """A step of a net with a layer that would wait for all ranks; it is not called, for it runs on GPUs only."""
    torch.manual_seed(0)
    net = Net()
    net.norm = nn.SyncBatchNorm(8).train(training)
    x, targets = batch(0)
    outputs = net(x)
    losses = losses_of(outputs, targets, present[rank])
    balancer = eq.Balancer(eq.method(method), net, tasks=NAMES)
    balancer(losses, representation=outputs["z"] if at_representation else None).backward()
    return balancer.record.names


EVERYWHERE, SOMEWHERE = [["a", "b"], ["a", "b"]], [["a", "b"], ["a"]]


@pytest.mark.parametrize(
    ("method", "present", "at_representation", "training"),
    [
        ("mgda", EVERYWHERE, False, True),
        ("mgda", SOMEWHERE, False, False),
        ("mgda", SOMEWHERE, True, True),
        ("sum", SOMEWHERE, False, True),
    ],
)
def test_ranks_pass_a_synced_norm_equally_often(two, method, present, at_representation, training):
    assert two(with_synced_norm, method, present, at_representation, training) == [("a", "b")] * 2


def test_ranks_that_would_pass_a_synced_norm_unequally_often_are_told(two):
    with pytest.raises(RuntimeError, match="rank 0: ValueError: 'b' has a loss on some ranks only, where SyncBatchN"):
        two(with_synced_norm, "mgda", SOMEWHERE, False, True)
