"""FSDP2 and tensor parallel: the same training as one process on the joint batch, whatever lies where."""

import pytest
import torch
from test_replicas import METHODS, NAMES, Net, batch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, FullyShardedDataParallel, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.testing import assert_close

import equipoise as eq

STEPS = 3


def whole(tensor):
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).detach().clone()


def full_batch(step):
    x, targets = batch(step)
    return x, {name: target.nan_to_num() for name, target in targets.items()}


def train(net, balancer, rank, size, cast=torch.float32):
    """Parameters and records after some steps."""
    optimizer = torch.optim.SGD([*net.parameters(), *balancer.parameters()], lr=0.02, momentum=0.9)
    records = []
    for step in range(STEPS):
        x, targets = full_batch(step)
        mine = slice(rank * len(x) // size, (rank + 1) * len(x) // size)
        outputs = net(x[mine])
        losses = {name: ((outputs[name] - targets[name][mine]) ** 2).mean() for name in NAMES}
        optimizer.zero_grad()
        balancer(losses).backward()
        for module in net.modules():
            if isinstance(module, FSDPModule):
                module.reshard()  # where the backward pass was told not to
        if any(isinstance(module, FSDPModule) for module in net.modules()):
            torch.nn.utils.clip_grad_norm_(net.parameters(), 50.0)  # PyTorch cannot where plain tensors are among them
        optimizer.step()
        records.append((balancer.record.weights, balancer.record.gramian))
    return {name: whole(p) for name, p in net.named_parameters()}, records


def reference(method):
    torch.manual_seed(0)
    net = Net()
    return train(net, eq.Balancer(METHODS[method](), net, tasks=NAMES), 0, 1)


def fsdp(rank, size, method, forward, backward, policy=None):
    torch.manual_seed(0)
    net = Net()
    mesh = init_device_mesh("cpu", (size,))
    options = {"mesh": mesh, "reshard_after_forward": forward}
    if policy is not None:
        options["mp_policy"] = MixedPrecisionPolicy(param_dtype=policy, reduce_dtype=torch.float32)
    fully_shard(net.trunk, **options)
    for head in net.heads.values():
        fully_shard(head, **options)
    fully_shard(net, **options)
    for module in (net.trunk, net):
        module.set_reshard_after_backward(backward)
    balancer = eq.Balancer(METHODS[method](), net, tasks=NAMES)
    return train(net, balancer, rank, size)


def tensor_parallel(rank, size, method):
    """The first layer sharded by columns, the second by rows, the heads replicated and plain."""
    torch.manual_seed(0)
    net = Net()
    mesh = init_device_mesh("cpu", (size,))
    parallelize_module(net.trunk, mesh, {"0": ColwiseParallel(), "2": RowwiseParallel()})
    return train(net, eq.Balancer(METHODS[method](), net, tasks=NAMES), 0, 1)


def check_same(answers, expected, records, rtol, atol):
    for state, theirs in answers:
        for name, value in expected.items():
            assert_close(state[name], value, rtol=rtol, atol=atol, msg=lambda m, name=name: f"{name}: {m}")
            assert torch.equal(state[name], answers[0][0][name])
        for (weights, gramian), (its, its_gramian) in zip(records, theirs, strict=True):
            assert its == pytest.approx(weights, rel=20 * rtol)
            if gramian is not None:
                assert_close(its_gramian, gramian, rtol=20 * rtol, atol=20 * rtol * float(gramian.trace()))


@pytest.mark.needs("fsdp2")
@pytest.mark.paired
@pytest.mark.parametrize("backward", [True, False])
@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("method", ["sum", "uw", "mgda", "uw, mgda"])
def test_fsdp2_in_all_its_settings(two, method, forward, backward):
    check_same(two(fsdp, method, forward, backward), *reference(method), rtol=2e-5, atol=2e-6)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["pcgrad", "nash-mtl", "upgrad"])
def test_fsdp2_over_four_ranks(four, method):
    check_same(four(fsdp, method, True, True), *reference(method), rtol=5e-5, atol=5e-6)


@pytest.mark.needs("fsdp2")
def test_fsdp2_in_bfloat16(two):
    check_same(two(fsdp, "mgda", True, True, torch.bfloat16), *reference("mgda"), rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("method", ["sum", "uw", "mgda", "upgrad"])
def test_tensor_parallel_with_replicated_and_sharded_parameters(two, method):
    check_same(two(tensor_parallel, method), *reference(method), rtol=2e-5, atol=2e-6)


def refused(rank, size, what):
    net = Net()
    fully_shard(net.trunk)
    fully_shard(net)
    x, targets = full_batch(0)
    method = eq.method("graddrop") if what == "coordinate" else eq.MGDA()
    balancer = eq.Balancer(method, net, tasks=NAMES)
    outputs = net(x)
    here = NAMES if what != "absent" or rank == 0 else NAMES[:1]
    losses = {name: ((outputs[name] - targets[name]) ** 2).mean() for name in here}
    balancer(losses, representation=outputs["z"] if what == "representation" else None).backward()


@pytest.mark.needs("fsdp2")
@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("absent", "'b', 'c' has a loss on some ranks only, where FSDP waits for all"),
        ("coordinate", "needs no single rows"),
        ("representation", "leave out representation"),
    ],
)
def test_what_fsdp2_cannot_do_is_an_error_on_every_rank(two, what, message):
    with pytest.raises(RuntimeError, match=f"rank 0: .*{message}.*rank 1: .*{message}"):
        two(refused, what)


def fsdp1(rank, size, original):
    """What a method that reads losses trains, and what a gradient method says."""
    found = []
    for method in ("uw", "mgda"):
        torch.manual_seed(0)
        net = FullyShardedDataParallel(Net(), device_id=torch.device("cpu"), use_orig_params=original)
        balancer = eq.Balancer(METHODS[method](), net, tasks=NAMES)
        try:
            train(net, balancer, rank, size)
        except RuntimeError as error:
            found.append(str(error))
            continue
        with FullyShardedDataParallel.summon_full_params(net):
            found.append({name: p.detach().clone() for name, p in net.module.named_parameters()})
    return found


@pytest.mark.parametrize("original", [False, True])
def test_fsdp1_is_for_methods_that_read_losses(two, original):
    expected, _ = reference("uw")
    for state, message in two(fsdp1, original):
        for name, value in expected.items():
            assert_close(state[name], value, rtol=2e-5, atol=2e-6)
        assert message.startswith("FSDP1 makes no gradients of single tasks: shard with fully_shard")


def test_deepspeed_is_for_methods_that_read_losses():
    net = nn.Linear(2, 2)
    net.weight.ds_id = 0
    a, b = net(torch.ones(2))
    with pytest.raises(RuntimeError, match="DeepSpeed ZeRO makes no gradients of single tasks: shard with fully_shard"):
        eq.Balancer(eq.MGDA(), net, tasks=["a", "b"])({"a": a, "b": b}).backward()
    eq.Balancer(eq.UW(), net, tasks=["a", "b"])({"a": a, "b": b}).backward()
