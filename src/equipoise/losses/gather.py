"""Features of all processes, with their gradient: what a loss over pairs needs to see the whole batch.

The convention: every process computes the loss of the joint batch, and gathering sums the gradients that all of them
send back. With W processes each then holds W times its share of the joint gradient, so that the mean over processes
that DistributedDataParallel takes is the gradient of the joint loss exactly, whatever the batch sizes. The loss, and
the gradients of its own parameters, are the same in every process.
"""

import torch
from torch import Tensor, distributed
from torch.nn import functional as F  # noqa: N812

from equipoise.losses.checks import require_dim
from equipoise.torch_private.processes import all_gather_with_gradient

__all__ = ["gather_with_gradient"]


def gather_with_gradient(tensor: Tensor) -> Tensor:
    """The rows of all processes in the order of their ranks; of this one alone where no process group is initialised.

    All processes must call it, and go backward through it, the same number of times. Batch sizes may differ: the sizes
    are gathered first, for which the host waits, and shorter batches travel padded to the longest.

    Args:
        tensor: [n, ...], n and dtype aside alike in all processes.

    Returns:
        [n_all, ...]; its gradient arrives summed over the processes.

    Raises:
        ValueError: If the tensor has no dimension to join along.

    >>> gather_with_gradient(torch.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """
    require_dim("tensor", tensor, "[n, ...]", least=1)
    if not (distributed.is_available() and distributed.is_initialized()):
        return tensor
    sizes = all_gather_with_gradient(torch.tensor([len(tensor)], device=tensor.device)).tolist()
    longest = max(sizes)
    padding = (0, 0) * (tensor.dim() - 1) + (0, longest - len(tensor))
    gathered = all_gather_with_gradient(F.pad(tensor, padding))
    if min(sizes) == longest:
        return gathered
    return torch.cat([rows[:size] for rows, size in zip(gathered.split(longest), sizes, strict=True)])
