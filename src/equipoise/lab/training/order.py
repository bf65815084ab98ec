"""Which training samples a step sees, and in which parts: a function of the seed and the epoch, and of nothing else."""

from collections.abc import Iterator, Sized

import numpy as np
from torch.utils.data import ConcatDataset, Sampler

from equipoise.lab.data.sampling import SourceSampler


class EpochOrder(Sampler[int]):
    """Every sample once, in an order drawn from (seed, epoch); resuming needs only ``set_epoch``."""

    def __init__(self, samples: Sized, seed: int) -> None:
        self.samples = samples
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order the next iteration takes."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[int]:
        yield from np.random.default_rng((self.seed, self.epoch)).permutation(len(self.samples)).tolist()


def make_order(samples: Sized, seed: int, temperature: float | None) -> EpochOrder | SourceSampler:
    """Every sample once, or with a temperature draws from the sources that a ``ConcatDataset`` is made of.

    Raises:
        ValueError: If there is a temperature and the samples are of one source.
    """
    if temperature is None:
        return EpochOrder(samples, seed)
    if not isinstance(samples, ConcatDataset):
        raise ValueError(
            f"temperature={temperature!r} is for several sources, and the training split is one data set: make it a "
            "torch.utils.data.ConcatDataset of them, or leave temperature out"
        )
    return SourceSampler([len(source) for source in samples.datasets], temperature=temperature, seed=seed)  # type: ignore[arg-type]


class MicroBatches(Sampler[list[int]]):
    """What one process sees of each step, as batches for a ``DataLoader``, in ``parts`` each.

    The processes share each batch of the order, as the parts share what a process has of it: one sample after another
    is dealt out. Every process has the same number of parts.

    Args:
        order: Of all samples.
        batch_size: Samples per step, of all processes together; in the last step of an epoch what is left.
        micro_batches: Parts of a step; fewer in a step with fewer samples.
        rank: Which process this is.
        ranks: How many there are.

    Raises:
        ValueError: If a step would leave a process without a sample.
    """

    def __init__(
        self, order: EpochOrder | SourceSampler, batch_size: int, micro_batches: int = 1, rank: int = 0, ranks: int = 1
    ) -> None:
        self.order, self.batch_size, self.rank, self.ranks = order, batch_size, rank, ranks
        sizes = [min(batch_size, len(order) - begin) for begin in range(0, len(order), batch_size)]
        if min(sizes) < ranks:
            raise ValueError(
                f"batch_size {batch_size} leaves a step with {min(sizes)} of {len(order)} samples for {ranks} "
                "processes: choose another batch_size"
            )
        self.parts = [min(micro_batches, size // ranks) for size in sizes]  # of each step of an epoch

    def __len__(self) -> int:
        return sum(self.parts)

    def __iter__(self) -> Iterator[list[int]]:
        order = list(self.order)
        for step, parts in enumerate(self.parts):
            own = order[step * self.batch_size : (step + 1) * self.batch_size][self.rank :: self.ranks]
            yield from (own[part::parts] for part in range(parts))
