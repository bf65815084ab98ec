"""Cost of balancing in several processes: time, traffic and memory of one step, and its correctness.

    pip install -e '.[parity]'
    python benchmarks/distributed.py                       # 1, 2 and 4 processes (gloo), K = 3 and 10
    python benchmarks/distributed.py --ranks 2 --tasks 10 --repeats 30

Each process has its share of one batch and one thread. A step is the forward and the backward pass; its time is that
of the slowest rank, the contenders in turn in every repetition, and ``/ plain`` is the median of the ratios within one
repetition (``every 10``: the mean over ten steps). More processes than cores make times of no meaning but for ratios.

``ring`` is counted: the bytes of every collective of a step, DDP's own included (by its communication hook), times
what a ring sends for it. ``formula`` is what ``traffic.py`` says it should be. ``wire`` is what the process really sent
over TCP; gloo's reduce-scatter sends twice what a ring does. All in units of plain DDP's 2 (N-1)/N · 4P bytes, P the
numbers of the shared parameters. ``memory`` is the peak of two steps beyond that of the plain sum, in K·P numbers, its
``formula`` what is kept between steps: for rows K·P/N for this rank's slices and P for one gradient on its way there.

``error`` compares the trunk's gradient with that of one process on the whole batch, ``differ`` the ranks' gradients
with each other. TorchJD does not know of DDP: its gradients are each rank's own, and replicas part.
"""

import argparse
import os

os.environ.setdefault("KINETO_LOG_LEVEL", "99")

import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.nn.parallel import DistributedDataParallel
from torchjd.aggregation import GramianWeightedAggregator, MGDAWeighting
from torchjd.autojac import jac_to_grad, mtl_backward

import equipoise as eq
from models import MODELS, Problem, build
from peaks import peak_of
from traffic import cost, counted, ring_bytes, sent_by_tcp

_PERIOD = 10
_WARM_UP = 2
Backward = Callable[[Tensor, dict[str, Tensor]], None]


class Contender(NamedTuple):
    """A way from losses to gradients; ``make(problem, model, alone)``, the model being the problem, maybe under DDP."""

    make: Callable[[Problem, nn.Module, bool], Backward]
    way: str  # of ``traffic.cost``
    is_replicated: bool = True


def plain(problem: Problem, model: nn.Module, alone: bool) -> Backward:
    return lambda representation, losses: sum(losses.values(), torch.zeros(())).backward()


def ours(
    method: Callable[[], eq.Method], where: str = "shared", route: Literal["auto", "rows"] = "rows"
) -> Callable[[Problem, nn.Module, bool], Backward]:
    def make(problem: Problem, model: nn.Module, alone: bool) -> Backward:
        chosen = last_layer(problem) if where == "chosen" else None
        ranks = "local" if alone else "auto"
        balancer = eq.Balancer(method(), model, tasks=problem.names, gramian_from=chosen, ranks=ranks, route=route)

        def backward(representation: Tensor, losses: dict[str, Tensor]) -> None:
            balancer(losses, representation=representation if where == "representation" else None).backward()

        return backward

    return make


def torchjd(problem: Problem, model: nn.Module, alone: bool) -> Backward:
    aggregator = GramianWeightedAggregator(MGDAWeighting())

    def backward(representation: Tensor, losses: dict[str, Tensor]) -> None:
        mtl_backward(list(losses.values()), features=representation)
        jac_to_grad(problem.trunk.parameters(), aggregator)

    return backward


def naive(problem: Problem, model: nn.Module, alone: bool) -> Backward:
    """The whole jacobian [K, P] on every rank, all-reduced; heads by an all-reduce of their own."""
    method, size = eq.MGDA(), 1 if alone else dist.get_world_size()
    method.bind(len(problem.names))
    shared, private = list(problem.trunk.parameters()), list(problem.heads.parameters())

    def backward(representation: Tensor, losses: dict[str, Tensor]) -> None:
        rows, heads = [], []
        for k, (loss, head) in enumerate(zip(losses.values(), problem.heads, strict=True)):
            own = list(head.parameters())
            found = torch.autograd.grad(loss, [*shared, *own], retain_graph=k < len(losses) - 1)
            rows.append(torch.cat([gradient.flatten() for gradient in found[: len(shared)]]))
            heads += found[len(shared) :]
        jacobian, flat = torch.stack(rows), torch.cat([gradient.flatten() for gradient in heads])
        del rows, found
        if size > 1:
            dist.all_reduce(jacobian.div_(size))
            dist.all_reduce(flat.div_(size))
        gramian = (jacobian @ jacobian.mT).double()
        weights = method(gramian, torch.ones(len(losses), dtype=torch.float64), torch.arange(len(losses)))
        combined = jacobian.mT @ weights.to(jacobian)
        for parameters, vector in ((shared, combined), (private, flat)):
            for p, piece in zip(parameters, vector.split([p.numel() for p in parameters]), strict=True):
                p.grad = piece.view_as(p).clone()

    return backward


PLAIN = "plain sum"
EVERY = "ours every 10"
CONTENDERS = {
    PLAIN: Contender(plain, "plain"),
    "ours sum": Contender(ours(eq.Sum), "losses"),
    "ours mgda": Contender(ours(eq.MGDA, route="auto"), "factors"),
    "ours mgda, rows": Contender(ours(eq.MGDA), "rows"),
    "ours mgda, last layer": Contender(ours(eq.MGDA, "chosen"), "chosen"),
    "ours mgda, representation": Contender(ours(eq.MGDA, "representation"), "representation"),
    EVERY: Contender(ours(lambda: eq.Every(_PERIOD, eq.MGDA())), "every"),
    "all-reduce of J": Contender(naive, "all-reduce of J", is_replicated=False),
    "torchjd mgda (wrong)": Contender(torchjd, "none"),
}


class Row(NamedTuple):
    milliseconds: float
    of_plain: float
    ring: float
    formula: float
    wire: float
    memory: float
    memory_formula: float
    error: float
    differ: float


def one_step(problem: Problem, model: nn.Module, backward: Backward) -> None:
    problem.zero_grad()
    backward(*model())


def last_layer(problem: Problem) -> nn.Module:
    return [layer for layer in problem.trunk if list(layer.parameters())][-1]


def linear_sizes(problem: Problem) -> list[tuple[int, int]]:
    return [(layer.in_features, layer.out_features) for layer in problem.trunk if isinstance(layer, nn.Linear)]


def share_of(problem: Problem, rank: int, size: int) -> Problem:
    """The problem with this rank's share of the batch."""
    mine = slice(rank * len(problem.batch) // size, (rank + 1) * len(problem.batch) // size)
    problem.batch, problem.labels = problem.batch[mine].clone(), problem.labels[:, mine].clone()
    return problem


def gradient(problem: Problem) -> Tensor:
    return torch.cat([p.grad.flatten() for p in problem.trunk.parameters() if p.grad is not None])


def made(contender: Contender, model: str, num_tasks: int, rank: int, size: int, hook: bool = False) -> Any:
    """A problem, what is called for its losses, and the way to gradients."""
    problem = share_of(build(model, num_tasks), rank, size)
    called: nn.Module = problem
    if contender.is_replicated:
        called = DistributedDataParallel(problem, forward_sync_buffers=False, init_sync=False)
        if hook:
            called.register_comm_hook(None, allreduce_hook)  # calls torch.distributed, where it is counted
    return problem, called, contender.make(problem, called, False)


def sent(run: Any, steps: int) -> float:
    """Bytes over TCP of one step."""
    dist.barrier()
    before = sent_by_tcp()
    for _ in range(steps):
        one_step(*run)
    dist.barrier()
    return (sent_by_tcp() - before) / steps


def measure(rank: int, size: int, model: str, num_tasks: int, repeats: int) -> dict[str, Row]:
    runs = {name: made(contender, model, num_tasks, rank, size) for name, contender in CONTENDERS.items()}
    errors, differ = {}, {}
    for name, contender in CONTENDERS.items():
        alone = build(model, num_tasks)
        one_step(alone, alone, contender.make(alone, alone, True))
        one_step(*runs[name])
        expected, found = gradient(alone), gradient(runs[name][0])
        errors[name] = float((found - expected).norm() / expected.norm())
        theirs = [torch.empty_like(found) for _ in range(size)]
        dist.all_gather(theirs, found)
        differ[name] = max(float((found - other).norm() / expected.norm()) for other in theirs)
    for _ in range(_WARM_UP):
        for run in runs.values():
            one_step(*run)
    times = torch.zeros(repeats, len(runs))
    for repetition in range(repeats):
        for place, run in enumerate(runs.values()):
            dist.barrier()
            start = time.perf_counter()
            for _ in range(_PERIOD if list(runs)[place] == EVERY else 1):
                one_step(*run)
            times[repetition, place] = time.perf_counter() - start
    times[:, list(runs).index(EVERY)] /= _PERIOD
    dist.all_reduce(times, op=dist.ReduceOp.MAX)
    base = times[:, list(runs).index(PLAIN)]
    wires = {name: sent(run, _PERIOD if name == EVERY else 2) for name, run in runs.items()}
    problem = runs[PLAIN][0]
    shared = problem.shared_size
    last = last_layer(problem)
    sizes = {
        "representation": len(problem.batch) * problem.heads[0].in_features,
        "chosen": sum(p.numel() for p in last.parameters()),
        "factors": len(problem.batch) * sum(i + num_tasks * o for i, o in linear_sizes(problem)),
    }
    private = sum(p.numel() for p in problem.heads.parameters())
    del runs, problem, last
    rows, peaks = {}, {}
    for place, (name, contender) in enumerate(CONTENDERS.items()):
        run = made(contender, model, num_tasks, rank, size, hook=True)
        one_step(*run)  # DDP rebuilds its buckets
        steps = _PERIOD if name == EVERY else 1
        with counted() as calls:
            for _ in range(steps):
                one_step(*run)
        del run
        peaks[name] = peak_of(lambda c=contender: [one_step(*r) for r in [made(c, model, num_tasks, rank, size)] * 2])
        unit = max(8 * (size - 1) / size * shared, 1.0)
        expected = cost(contender.way, num_tasks, shared, private, sizes.get(contender.way, 0), size)
        rows[name] = Row(
            1000 * statistics.median(times[:, place].tolist()),
            statistics.median((times[:, place] / base).tolist()),
            ring_bytes(calls, size) / steps / unit,
            4 * expected.sent / unit,
            wires[name] / unit,
            (peaks[name] - peaks[PLAIN]) / (4 * num_tasks * shared),
            expected.kept / (num_tasks * shared),
            errors[name],
            differ[name],
        )
    return rows


def work(rank: int, size: int, store: str, options: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
    for num_tasks in options.tasks:
        rows = measure(rank, size, options.model, num_tasks, options.repeats)
        if rank == 0:
            show(size, num_tasks, rows)
    dist.destroy_process_group()


def show(size: int, num_tasks: int, rows: dict[str, Row]) -> None:
    print(f"\nN = {size}, K = {num_tasks}")
    heads = ["ms", "/ plain", "ring", "formula", "wire", "memory", "formula", "error", "differ"]
    print(f"{'':26}" + "".join(f"{head:>9}" for head in heads))
    for name, row in rows.items():
        numbers = f"{row[0]:9.1f}" + "".join(f"{value:9.2f}" for value in row[1:7])
        print(f"{name:26}{numbers}" + "".join(f"{value:9.0e}" for value in row[7:]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", nargs="+", type=int, default=[1, 2, 4], metavar="N")
    parser.add_argument("--tasks", nargs="+", type=int, default=[3, 10], metavar="K")
    parser.add_argument("--model", choices=["mlp", "mlp-256"], default="mlp")
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()
    assert options.model in MODELS
    for size in options.ranks:
        with tempfile.TemporaryDirectory() as folder:
            mp.spawn(work, (size, f"{folder}/store", options), nprocs=size)


if __name__ == "__main__":
    main()
