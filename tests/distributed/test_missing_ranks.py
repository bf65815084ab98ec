"""A rank that is gone, or does not come: the others get an error that names it, and nothing waits for ever."""

import os
import tempfile
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from test_replicas import NAMES, Net, batch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import equipoise as eq

pytestmark = pytest.mark.slow  # each starts processes of its own

TIMEOUT = timedelta(seconds=6)


class Vanish(torch.autograd.Function):
    """Its backward is the last thing that a process does."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        os._exit(9)


def survive(rank, size, start, answers, missing, how):
    """One step together, then one that a rank does not take part in."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=start, rank=rank, world_size=size, timeout=TIMEOUT)
    torch.manual_seed(0)
    model = DistributedDataParallel(Net())
    balancer = eq.Balancer(eq.MGDA(), model, tasks=NAMES)
    for step in range(2):
        x, targets = batch(step)
        outputs = model(x)
        losses = {name: nn.functional.mse_loss(outputs[name], targets[name].nan_to_num()) for name in NAMES}
        if step == 1 and rank == missing and how == "killed":
            os._exit(9)
        if step == 1 and rank == missing and how == "late":
            torch.distributed.distributed_c10d._get_default_store().wait(["never"], 4 * TIMEOUT)
        if step == 1 and rank == missing and how == "killed in its backward pass":
            losses["b"] = Vanish.apply(losses["b"])
        try:
            balancer(losses).backward()
        except RuntimeError as error:
            answers.put((rank, str(error)))
            answers.close()
            answers.join_thread()
            os._exit(0)


def survivors(size, missing, how, use_tcp=False):
    """What the ranks that are left say, by rank."""
    context = mp.get_context("spawn")
    answers = context.Queue()
    with tempfile.TemporaryDirectory() as folder:
        store = dist.TCPStore("localhost", 0, is_master=True, wait_for_workers=False) if use_tcp else None
        start = f"tcp://localhost:{store.port}" if use_tcp else f"file://{folder}/store"
        del store
        processes = [
            context.Process(target=survive, args=(rank, size, start, answers, missing, how)) for rank in range(size)
        ]
        for process in processes:
            process.start()
        said = dict(answers.get(timeout=120) for _ in range(size - 1))
        for process in processes:
            process.kill() if how == "late" else process.join()
            process.join()
    return said


@pytest.mark.parametrize(
    ("size", "missing", "how"),
    [
        (2, 0, "killed"),
        (2, 1, "killed in its backward pass"),
        (2, 1, "late"),
        (4, 2, "killed in its backward pass"),
        pytest.param(4, 0, "killed", marks=pytest.mark.exhaustive),
        pytest.param(4, 3, "late", marks=pytest.mark.exhaustive),
    ],
)
def test_the_others_name_the_rank_that_is_missing(size, missing, how):
    said = survivors(size, missing, how)
    assert set(said) == set(range(size)) - {missing}
    for message in said.values():
        assert f"could not exchange step 2: rank {missing} is gone" in message


def test_the_store_may_go_with_the_rank():
    said = survivors(2, 0, "killed", use_tcp=True)
    assert "could not exchange step 2: rank 0 is gone" in said[1]
