"""What a method allocates, whatever PyTorch's defaults are where the balancer is made."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def plain_defaults() -> Iterator[None]:
    """The CPU, and float32 or better: trainers set a GPU and bfloat16 while a model is made, and state needs digits."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.promote_types(dtype, torch.float32))
    try:
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(dtype)
