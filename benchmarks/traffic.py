"""What collectives cost, by formula and by counting.

Bytes are those that one rank sends in one step. A ring moves N numbers over n ranks by sending (n-1)/n · N for a
reduce-scatter or an all-gather, and twice that for an all-reduce: no algorithm sends less.
"""

import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch.distributed as dist
from torch import Tensor

from equipoise.torch_private.processes import ALL_GATHER, REDUCE_SCATTER

# of (n-1)/n times the whole, or, where one rank gathers what each has, times that: owners take turns
_SHARES = {"all_reduce": 2, REDUCE_SCATTER: 1, ALL_GATHER: 1, "gather": 1}
_TCP_INFO, _BYTES_ACKED = 11, 120  # <linux/tcp.h>


class Cost(NamedTuple):
    """Of one step on one rank, in numbers (times 4 for bytes of float32)."""

    sent: float
    kept: float  # beyond what the plain sum keeps
    passes: float  # backward passes through the trunk


def cost(way: str, num_tasks: int, shared: float, private: float, at: float, ranks: int, period: int = 10) -> Cost:
    """What a way of balancing costs.

    Args:
        way: One of ``WAYS``.
        num_tasks: K.
        shared: P, the numbers of the shared parameters.
        private: The numbers of all heads together, which every way all-reduces as plain DDP does.
        at: The numbers at which gradients are compared: of this rank's share of the representation, of the parameters
            of ``gramian_from``, or of the factors of this rank's layers.
        ranks: N.
        period: Of ``every``.
    """
    ring = (ranks - 1) / ranks
    plain = 2 * ring * (shared + private)
    # on top of DDP's own all-reduce of what the balancer delivers: float64 gramian, losses and labels count twice
    small = 2 * ring * 2 * (num_tasks**2 + 4 * num_tasks + 4)
    slices = (num_tasks + 1) * ring
    kept = num_tasks * shared / ranks + shared
    if way == "none":
        return Cost(0, num_tasks * shared, num_tasks)
    if way == "plain":
        return Cost(plain, 0, 1)
    if way == "losses":
        return Cost(plain + small, 0, 1)
    if way == "rows":
        return Cost(plain + small + slices * shared, kept, num_tasks)
    if way == "factors":  # met on one rank per layer; each rank combines its own, which DDP averages
        # K passes bring gradients of outputs, one product those of weights: half a backward pass each
        return Cost(plain + small + ring * at, at, (num_tasks + 1) / 2)
    if way == "every":
        return Cost(plain + small + slices * shared / period, kept, 1 + (num_tasks - 1) / period)
    if way == "chosen":
        return Cost(plain + small + num_tasks * ring * at, num_tasks * at / ranks + at, 2)
    if way == "representation":
        return Cost(plain + small, num_tasks * at, 1)
    if way == "all-reduce of J":
        return Cost(2 * ring * (num_tasks * shared + private), num_tasks * shared, num_tasks)
    if way == "fsdp2, losses":  # parameters are gathered twice, gradients scattered once
        return Cost(3 * ring * (shared + private) + small, 0, 1)
    if way == "fsdp2, rows":
        whole = shared + private
        return Cost((1 + 2 * num_tasks) * ring * whole + small, num_tasks * shared / ranks, num_tasks)
    raise ValueError(f"way must be one of {', '.join(WAYS)}, got {way!r}")


WAYS = (
    "none",
    "plain",
    "losses",
    "rows",
    "factors",
    "every",
    "chosen",
    "representation",
    "all-reduce of J",
    "fsdp2, losses",
    "fsdp2, rows",
)


@contextmanager
def counted() -> Iterator[list[tuple[str, int]]]:
    """Every collective that is called inside by its name, and the bytes of its whole vector."""
    calls: list[tuple[str, int]] = []
    originals = {name: getattr(dist, name) for name in _SHARES}

    def counting(name: str) -> Any:
        def call(first: Tensor, *rest: Any, **options: Any) -> Any:
            whole = max([first, *(r for r in rest if isinstance(r, Tensor))], key=Tensor.numel)
            calls.append((name, whole.numel() * whole.element_size()))
            return originals[name](first, *rest, **options)

        return call

    for name in _SHARES:
        setattr(dist, name, counting(name))
    try:
        yield calls
    finally:
        for name, original in originals.items():
            setattr(dist, name, original)


def ring_bytes(calls: list[tuple[str, int]], ranks: int) -> float:
    """Bytes that one rank sends for these collectives if each goes round a ring."""
    return sum(_SHARES[name] * size for name, size in calls) * (ranks - 1) / ranks


def sent_by_tcp() -> int:
    """Bytes that this process has sent so far and that have arrived, over all its TCP connections (Linux)."""
    total = 0
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            copy = os.dup(int(descriptor))
        except OSError:
            continue  # closed by now
        if not stat.S_ISSOCK(os.fstat(copy).st_mode):
            os.close(copy)
            continue
        connection = socket.socket(fileno=copy)
        with connection:
            if connection.family in (socket.AF_INET, socket.AF_INET6) and connection.type == socket.SOCK_STREAM:
                info = connection.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 256)
                total += struct.unpack_from("Q", info, _BYTES_ACKED)[0]
    return total
