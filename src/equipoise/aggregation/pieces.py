"""Rows cut by columns, for methods that go through single coordinates several times."""

from collections.abc import Iterator

import torch
from torch import Tensor

from equipoise.torch_private.tensors import exact_norms

_CACHED = 2**20  # numbers that a thread takes at once: fewer make more operations, more make room that is always new
_LONG = 2**17  # columns that are converted to float64 at a time


def pieces(rows: Tensor) -> Iterator[slice]:
    """Slices that together are all columns of the rows [K, P]: on a CPU of so many numbers, else one."""
    num_rows, width = rows.shape
    size = max(1, _CACHED * torch.get_num_threads() // num_rows) if rows.device.type == "cpu" else max(1, width)
    return (slice(start, start + size) for start in range(0, max(1, width), size))


def norms_of_rows(rows: Tensor) -> Tensor:
    """The norms [K] in float64 of rows [K, P], whose squares their own dtype may not hold."""
    parts = [row for piece in rows.split(_LONG, dim=1) for row in piece.unbind()]
    norms: Tensor = torch.linalg.vector_norm(exact_norms(parts).view(-1, len(rows)), dim=0)
    return norms


def products_of_rows(rows: Tensor) -> Tensor:
    """The products [K, K] in float64 of rows [K, P]."""
    total = torch.zeros(len(rows), len(rows), dtype=torch.float64, device=rows.device)
    for piece in rows.split(_LONG, dim=1):
        exact = piece.double()
        total.addmm_(exact, exact.mT)
        del exact  # the next piece needs its room
    return total
