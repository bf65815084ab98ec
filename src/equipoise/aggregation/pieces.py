"""Rows cut by columns, for methods that go through single coordinates several times."""

from collections.abc import Iterator

import torch
from torch import Tensor

_CACHED = 2**17  # numbers that a thread's cache holds, beside a few temporaries as large


def pieces(rows: Tensor) -> Iterator[slice]:
    """Slices that together are all columns of the rows [K, P]: on a CPU as wide as a cache holds, else one."""
    num_rows, width = rows.shape
    size = max(1, _CACHED * torch.get_num_threads() // num_rows) if rows.device.type == "cpu" else max(1, width)
    return (slice(start, start + size) for start in range(0, max(1, width), size))
