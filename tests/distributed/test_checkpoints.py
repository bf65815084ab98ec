"""A run that stopped and went on from its checkpoint is the run that did not stop, by any way of saving it."""

import warnings
from pathlib import Path

import pytest
import torch
import torch.distributed.checkpoint as dcp
from test_replicas import NAMES, Net, batch
from test_shards import whole
from torch import nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from torch.testing import assert_close

import equipoise as eq

STOP, END = 3, 7
METHODS = {
    "mgda": eq.MGDA,
    "upgrad": lambda: eq.method("upgrad"),
    "uw": eq.UW,
    "dwa": lambda: eq.method("dwa"),
    "rlw": lambda: eq.method("rlw"),
    "graddrop": lambda: eq.method("graddrop"),
    "gradvac": lambda: eq.method("gradvac"),
    "moco": lambda: eq.method("moco"),
    "running-norm, pcgrad": lambda: eq.Chain(eq.method("running-norm"), eq.PCGrad()),
}


class Run:
    """A model, a balancer and an optimiser that can be saved."""

    def __init__(self, rank, size, method, wrapped):
        torch.manual_seed(0)
        self.rank, self.size = rank, size
        net = Net().double()
        if size > 1 and wrapped == "fsdp":
            fully_shard(net.trunk)
            fully_shard(net)
        self.model = DistributedDataParallel(net) if size > 1 and wrapped == "ddp" else net
        self.balancer = eq.Balancer(METHODS[method](), self.model, tasks=NAMES)
        self.parts = nn.ModuleDict({"model": self.model, "balancer": self.balancer})
        self.optimizer = torch.optim.Adam(self.parts.parameters(), lr=0.01)

    def train(self, first, last, everyone=True):
        for step in range(first, last):
            x, targets = batch(step)
            mine = slice(self.rank * len(x) // self.size, (self.rank + 1) * len(x) // self.size)
            outputs = self.model(x[mine].double())
            names = NAMES if everyone or step % 2 else NAMES[1:]
            losses = {name: ((outputs[name] - targets[name][mine].nan_to_num()) ** 2).mean() for name in names}
            self.optimizer.zero_grad()
            self.balancer(losses).backward()
            self.optimizer.step()
            if step % 2:
                self.balancer.end_epoch()

    def save(self, folder, how):
        if how == "dcp":
            model, optimizer = get_state_dict(self.parts, self.optimizer)
            dcp.save({"model": model, "optimizer": optimizer}, checkpoint_id=folder)
        else:
            Path(folder).mkdir(exist_ok=True)
            torch.save([self.parts.state_dict(), self.optimizer.state_dict()], f"{folder}/{self.rank}.pt")

    def load(self, folder, how):
        if how == "dcp":
            model, optimizer = get_state_dict(self.parts, self.optimizer)
            dcp.load({"model": model, "optimizer": optimizer}, checkpoint_id=folder)
            set_state_dict(self.parts, self.optimizer, model_state_dict=model, optim_state_dict=optimizer)
        else:
            parts, optimizer = torch.load(f"{folder}/{self.rank}.pt", weights_only=False)
            self.parts.load_state_dict(parts)
            self.optimizer.load_state_dict(optimizer)

    def state(self):
        """Everything, whole; and what the balancer has learned."""
        numbers = {name: whole(p) for name, p in self.parts.named_parameters()}
        numbers |= {name: b.clone() for name, b in self.parts.named_buffers()}
        return {name.removeprefix("model.").removeprefix("module."): n for name, n in numbers.items()}, (
            self.balancer.get_extra_state()
        )


def undisturbed(rank, size, method, wrapped, everyone=True):
    run = Run(rank, size, method, wrapped)
    run.train(0, END, everyone)
    return run.state()


def stopped(rank, size, method, wrapped, how, folder, everyone=True):
    run = Run(rank, size, method, wrapped)
    run.train(0, STOP, everyone)
    run.save(folder, how)
    return run.balancer.get_extra_state()


def resumed(rank, size, method, wrapped, how, folder, everyone=True):
    run = Run(rank, size, method, wrapped)
    if method == "moco" and how == "dcp":
        run.train(END, END + 1)  # DCP loads into what is there already: one step makes the rows
    run.load(folder, how)
    known = run.balancer.get_extra_state()
    run.train(STOP, END, everyone)
    return run.state(), known


QUICK = [("moco", "ddp", "plain"), ("running-norm, pcgrad", "ddp", "dcp"), ("uw", "fsdp", "dcp")]
WAYS = [
    *((method, "ddp", how) for method in METHODS for how in ("plain", "dcp")),
    *((method, "fsdp", how) for method in ("mgda", "uw", "dwa", "running-norm, pcgrad") for how in ("plain", "dcp")),
]
FSDP = pytest.mark.needs("fsdp2")
MARKED = [
    pytest.param(*way, marks=[FSDP] * (way[1] == "fsdp") + [pytest.mark.slow] * (way not in QUICK)) for way in WAYS
]


@pytest.mark.parametrize(("method", "wrapped", "how"), MARKED)
def test_resumed_is_undisturbed_to_the_bit(two, tmp_path, method, wrapped, how):
    everyone = wrapped == "fsdp"  # FSDP has no use for a task absent on one rank
    arguments = (method, wrapped, how, str(tmp_path / "saved"), everyone)
    expected = two(undisturbed, method, wrapped, everyone)
    saved = two(stopped, *arguments)
    assert saved[0]["reached"]
    for ((numbers, extra), known), (theirs, their_extra) in zip(two(resumed, *arguments), expected, strict=True):
        assert known == saved[0]
        assert numbers.keys() == theirs.keys()
        assert_close(numbers, theirs, rtol=0, atol=0, equal_nan=True)
        assert extra == their_extra


@pytest.mark.slow
@pytest.mark.parametrize("wrapped", ["ddp", pytest.param("fsdp", marks=FSDP)])
@pytest.mark.parametrize("method", ["mgda", "upgrad", "uw"])
@pytest.mark.parametrize("size", [1, 4])
def test_resumed_with_another_number_of_ranks(two, four, tmp_path, method, wrapped, size):
    arguments = (method, wrapped, "dcp", str(tmp_path / "saved"))
    two(stopped, *arguments)
    expected, _ = undisturbed(0, 1, method, wrapped)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled")
        answers = [resumed(0, 1, *arguments)] if size == 1 else four(resumed, *arguments)
    for (numbers, _), _ in answers:
        assert_close(numbers, expected, rtol=1e-6, atol=1e-9)
