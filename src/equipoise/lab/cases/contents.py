"""What a case can find out of its data by itself: how to batch, how to split, the labels, and a mark of it all."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset, default_collate

from equipoise.lab.data.arrays import Arrays, join
from equipoise.lab.data.split import SPLITS, split_of

Collate = Callable[[list[Any]], tuple[Any, dict[str, Tensor]]]
BATCH = 1024


def collate_of(data: Dataset[Any]) -> Collate:
    """How samples of a data set become a batch: ``Arrays`` are joined, all others stacked by torch."""
    collate: Collate = join if isinstance(data, Arrays) else default_collate
    return collate


def split_data(data: Any, collate: Collate) -> dict[str, Dataset[Any]]:
    """Train, validation and test, 70 / 15 / 15 percent; samples with the same inputs are on one side.

    Raises:
        ValueError: It has no length, or so few samples that a split is empty.
    """
    if not hasattr(data, "__len__"):
        raise ValueError("data must have a length, or be the data sets train, validation and test by name")
    split = [split_of(_mark(collate([data[place]])[0])) for place in range(len(data))]
    rows = {name: [place for place, one in enumerate(split) if one == name] for name in SPLITS}
    if empty := [name for name in SPLITS if not rows[name]]:
        raise ValueError(f"{len(data)} samples leave none for {empty[0]}: give more, or the three data sets by name")
    if isinstance(data, Arrays):
        return {name: data.where(torch.tensor(places)) for name, places in rows.items()}
    return {name: Subset(data, places) for name, places in rows.items()}


def read_targets(data: Dataset[Any], collate: Collate) -> dict[str, Tensor]:
    """All labels of a data set by target name [N, ...]."""
    batches = [targets for _, targets in DataLoader(data, BATCH, collate_fn=collate)]
    return {name: torch.cat([targets[name] for targets in batches]) for name in batches[0]}


def hash_data(data: Mapping[str, Dataset[Any]], collate: Collate) -> str:
    """SHA-256 of every sample of every data set, in order."""
    digest = hashlib.sha256()
    for name, one in data.items():
        digest.update(name.encode())
        for batch in DataLoader(one, BATCH, collate_fn=collate):
            digest.update(_mark(batch).encode())
    return digest.hexdigest()


def _mark(value: Any) -> str:
    digest = hashlib.sha256()
    for part in _bytes(value):
        digest.update(part)
    return digest.hexdigest()


def _bytes(value: Any) -> Iterator[bytes]:
    if isinstance(value, Tensor):
        yield f"{value.dtype} {tuple(value.shape)}".encode()
        yield value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield repr(key).encode()
            yield from _bytes(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _bytes(one)
    else:
        yield repr(value).encode()
