"""The set-ups in which people train, each with every kind of method."""

import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from joint_by_hand import KINDS, NAMES, RATE, STEPS, Net, batch, shares
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import fp16_compress_hook
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, FullyShardedDataParallel, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

import equipoise as eq

SINGLE, DOUBLE, HALF, BRAIN = 2e-6, 1e-13, 1e-2, 5e-2  # what a format may cost


def alone(net, size):
    return net


class Setup(NamedTuple):
    """One of them: how the network is wrapped, and what the loop does besides."""

    ranks: int = 1
    wrap: Callable[[Net, int], nn.Module] = alone
    limit: float = SINGLE
    dtype: torch.dtype = torch.float32
    cast: torch.dtype | None = None
    scaler: bool = False
    micro_batches: int = 1
    is_joint: bool = False  # the micro-batches are balanced as one batch
    waits: bool = False  # ``no_sync`` but for the last micro-batch
    clip: float | None = None
    at_representation: bool = False
    has_whole_batch: bool = False  # on every rank


def ddp(**options: Any):
    return lambda net, size: DistributedDataParallel(net, **options)


def ddp_with_hook(net, size):
    model = DistributedDataParallel(net)
    model.register_comm_hook(None, fp16_compress_hook)
    return model


class Checkpointed(nn.Module):
    def __init__(self, inner, reentrant):
        super().__init__()
        self.inner, self.reentrant = inner, reentrant

    def forward(self, x):
        return checkpoint(self.inner, x.requires_grad_(self.reentrant), use_reentrant=self.reentrant)


def checkpointed(reentrant):
    def wrap(net, size):
        net.trunk = Checkpointed(net.trunk, reentrant)
        return net

    return wrap


def compiled(is_safe):
    def wrap(net, size):
        if is_safe:
            eq.compile_safe()
        net.compile(backend="aot_eager")
        return net

    return wrap


def fsdp2(forward=True, backward=True, **options: Any):
    def wrap(net, size):
        options["mesh"] = init_device_mesh("cpu", (size,))
        for part in (net.trunk, *net.heads.values(), net):
            fully_shard(part, reshard_after_forward=forward, **options)
            part.set_reshard_after_backward(backward)
        return net

    return wrap


def fsdp1(original):
    return lambda net, size: FullyShardedDataParallel(net, device_id=torch.device("cpu"), use_orig_params=original)


def tensor_parallel(net, size):
    parallelize_module(net.trunk, init_device_mesh("cpu", (size,)), {"0": ColwiseParallel(), "2": RowwiseParallel()})
    return net


def deepspeed(net, size):
    for number, parameter in enumerate(net.parameters()):
        parameter.ds_id = number
    return net


BF16 = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
SETUPS = {
    "float32": Setup(),
    "float64": Setup(dtype=torch.float64, limit=DOUBLE),
    "bfloat16 autocast": Setup(cast=torch.bfloat16, limit=BRAIN),
    "float16 autocast, `GradScaler`": Setup(cast=torch.float16, scaler=True, limit=HALF),
    "2 micro-batches, each balanced": Setup(micro_batches=2),
    "2 micro-batches, `balancer.accumulate(2)`": Setup(micro_batches=2, is_joint=True),
    "clipping by norm": Setup(clip=1.0),
    "checkpoint": Setup(wrap=checkpointed(False)),
    "checkpoint, reentrant": Setup(wrap=checkpointed(True)),
    "`torch.compile`": Setup(wrap=compiled(False)),
    "`torch.compile` after `eq.compile_safe()`": Setup(wrap=compiled(True)),
    "DeepSpeed ZeRO parameters (imitated)": Setup(wrap=deepspeed),
    "DDP": Setup(2, ddp()),
    "DDP, `find_unused_parameters`": Setup(2, ddp(find_unused_parameters=True)),
    "DDP, `static_graph`": Setup(2, ddp(static_graph=True)),
    "DDP, `gradient_as_bucket_view`": Setup(2, ddp(gradient_as_bucket_view=True)),
    "DDP, 2 micro-batches, `no_sync`": Setup(2, ddp(), micro_batches=2, waits=True),
    "DDP, 2 micro-batches, `balancer.accumulate(2)`": Setup(2, ddp(), micro_batches=2, is_joint=True),
    "DDP, float16 communication hook": Setup(2, ddp_with_hook, limit=HALF),
    "DDP, bfloat16 autocast": Setup(2, ddp(), cast=torch.bfloat16, limit=BRAIN),
    "DDP, float16 autocast, `GradScaler`": Setup(2, ddp(), cast=torch.float16, scaler=True, limit=HALF),
    "DDP, clipping by norm": Setup(2, ddp(), clip=1.0),
    "DDP over 4": Setup(4, ddp()),
    "FSDP2": Setup(2, fsdp2()),
    "FSDP2, no reshard after forward": Setup(2, fsdp2(forward=False)),
    "FSDP2, no reshard after backward": Setup(2, fsdp2(backward=False)),
    "FSDP2, clipping by norm": Setup(2, fsdp2(), clip=1.0),
    "FSDP2, bfloat16 policy": Setup(2, fsdp2(mp_policy=BF16), limit=BRAIN),
    "FSDP2, at a representation": Setup(2, fsdp2(), at_representation=True),
    "tensor parallel": Setup(2, tensor_parallel, has_whole_batch=True),
    "FSDP1": Setup(2, fsdp1(False)),
    "FSDP1, `use_orig_params`": Setup(2, fsdp1(True)),
}


def whole(tensor):
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).detach()


def gradients(model):
    """All of them, end to end, in the order of the parameters of the network."""
    if isinstance(model, FullyShardedDataParallel):
        with FullyShardedDataParallel.summon_full_params(model, with_grads=model._use_orig_params):
            if model._use_orig_params:
                return torch.cat([p.grad.flatten() for p in model.parameters()])
        (flat,) = model.parameters()
        found = [torch.empty_like(flat.grad) for _ in range(torch.distributed.get_world_size())]
        torch.distributed.all_gather(found, flat.grad)
        return torch.cat(found)[: sum(flat._numels)]
    return torch.cat([whole(p.grad).flatten() for p in model.parameters()])


def train(rank, size, name, kind):
    """The gradients of all steps in that set-up, end to end, in float64."""
    setup = SETUPS[name]
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    torch.compiler.reset()
    model = setup.wrap(Net().to(setup.dtype), size)
    tasks = eq.Tasks([eq.Task(task, nn.MSELoss()) for task in NAMES])
    balancer = eq.Balancer(KINDS[kind](), model, tasks=tasks)
    if setup.is_joint:
        balancer.accumulate(setup.micro_batches)
    optimizer = torch.optim.SGD([*model.parameters(), *balancer.parameters()], lr=RATE)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, enabled=setup.scaler)
    place = (0, 1) if setup.has_whole_batch else (rank, size)
    taken = []
    for step in range(STEPS):
        x, targets = batch(step)
        for number, samples in enumerate(shares(*place, setup.micro_batches)):
            wait = setup.waits and number < setup.micro_batches - 1
            with model.no_sync() if wait else nullcontext():
                with torch.autocast("cpu", setup.cast, enabled=setup.cast is not None):
                    outputs = model(x[samples].to(setup.dtype))
                    wanted = {task: target[samples].to(setup.dtype) for task, target in targets.items()}
                    losses = tasks.losses(outputs, wanted)
                loss = balancer(losses, representation=outputs["z"] if setup.at_representation else None)
                scaler.scale(loss / setup.micro_batches).backward()
        for module in model.modules():
            if isinstance(module, FSDPModule):
                module.reshard()  # where the backward pass was told not to
        scaler.unscale_(optimizer)
        if setup.clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), setup.clip)
        taken.append(gradients(model).double())
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
    return torch.stack(taken)
