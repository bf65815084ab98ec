"""Samples that are rows of tensors, taken many at a time."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

from equipoise.lab.data.split import SPLITS

Inputs = Tensor | tuple[Tensor, ...]
Rows = tuple[Inputs, dict[str, Tensor]]


class Arrays(Dataset[Rows]):
    """Inputs [N, ...], one tensor or several, and targets [N, ...] by task name.

    A sample is a batch of one. Many samples at once, which is what a ``DataLoader`` asks for, are one batch of many:
    indexing a tensor once costs a hundredth of indexing it for every row.

    Raises:
        ValueError: If a tensor has another number of rows, or one that is not finite; a target may be NaN, which is
            missing.

    >>> data = Arrays(torch.eye(3), {"level": torch.arange(3)})
    >>> data[1]
    (tensor([[0., 1., 0.]]), {'level': tensor([1])})
    """

    def __init__(self, inputs: Inputs, targets: Mapping[str, Tensor]) -> None:
        self.inputs = inputs
        self.targets = dict(targets)
        several = inputs if isinstance(inputs, tuple) else (inputs,)
        self._length = len(several[0])
        for tensor in (*several, *self.targets.values()):
            if len(tensor) != self._length:
                raise ValueError(f"all tensors must have the same rows, got {self._length} and {len(tensor)}")
        for place, tensor in enumerate(several):
            _require_finite(tensor, torch.isfinite, "inputs" if len(several) == 1 else f"inputs {place}")
        for name, target in self.targets.items():
            _require_finite(target, lambda t: ~t.isinf(), f"target {name!r}")

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Rows:
        return self.rows(torch.tensor([index]))

    def __getitems__(self, indices: Sequence[int]) -> list[Rows]:
        return [self.rows(torch.tensor(indices))]

    def rows(self, chosen: Tensor) -> Rows:
        """The rows of these numbers [M], int64, or where [N] is True."""
        several = isinstance(self.inputs, tuple)
        inputs = tuple(tensor[chosen] for tensor in self.inputs) if several else self.inputs[chosen]
        return inputs, {name: target[chosen] for name, target in self.targets.items()}

    def where(self, chosen: Tensor) -> "Arrays":
        """The rows of these numbers, or where True, as a data set of their own."""
        return Arrays(*self.rows(chosen))

    def by_split(self, split: Sequence[str]) -> "dict[str, Arrays]":
        """The data sets "train", "validation" and "test", given which of them each row [N] is in."""
        return {name: self.where(torch.tensor([one == name for one in split])) for name in SPLITS}


def _require_finite(tensor: Tensor, is_right: Callable[[Tensor], Tensor], what: str) -> None:
    if tensor.is_floating_point() and not (right := is_right(tensor)).all():
        row, *columns = (~right).nonzero()[0].tolist()
        where = f", column {', '.join(map(str, columns))}" if columns else ""
        raise ValueError(f"{what} row {row}{where}: {tensor[(row, *columns)].item()} is not finite: correct the data")


def join(batches: Sequence[Rows]) -> Rows:
    """Several batches as one; this is the ``collate`` of a case on ``Arrays``."""
    if len(batches) == 1:
        return batches[0]
    inputs, targets = zip(*batches, strict=True)
    joined = {name: torch.cat([target[name] for target in targets]) for name in targets[0]}
    if isinstance(inputs[0], tuple):
        return tuple(torch.cat(parts) for parts in zip(*inputs, strict=True)), joined
    return torch.cat(inputs), joined


def joined_targets(batches: Sequence[Mapping[str, Tensor]], ignored: Mapping[str, int | None]) -> dict[str, Tensor]:
    """The targets [N, ...] of all batches by name; where batches are padded to different lengths, to the longest.

    Args:
        batches: Targets by name.
        ignored: By name, the class that stands for a missing integer target; that of a float one is NaN.

    Raises:
        ValueError: If lengths differ where no class stands for a missing label.
    """
    targets = {}
    for name in batches[0]:
        parts = [batch[name] for batch in batches]
        fill = torch.nan if parts[0].is_floating_point() else ignored.get(name)
        if fill is None and len({part.shape[1:] for part in parts}) > 1:
            raise ValueError(
                f"target {name!r} differs in shape between batches, such as {tuple(parts[0].shape)}, and the task's "
                "loss leaves out no class that could pad it: pad all samples alike, or give the loss an ignore_index"
            )
        targets[name] = padded(parts, 0 if fill is None else fill)
    return targets


def padded(parts: Sequence[Tensor], fill: float) -> Tensor:
    """Batches [N, ...] as one; where they differ in a later dimension, the shorter end in ``fill``.

    >>> padded([torch.ones(1, 2), torch.ones(1, 1)], -1.0)
    tensor([[ 1.,  1.],
            [ 1., -1.]])
    """
    if len({part.shape[1:] for part in parts}) == 1:
        return torch.cat(list(parts))
    longest = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
    whole = parts[0].new_full((sum(map(len, parts)), *longest), fill)
    start = 0
    for part in parts:
        whole[(slice(start, start + len(part)), *map(slice, part.shape[1:]))] = part
        start += len(part)
    return whole
