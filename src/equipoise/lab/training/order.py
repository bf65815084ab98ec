"""The order of the training samples: a function of the seed and the epoch, and of nothing else."""

from collections.abc import Iterator, Sized

import numpy as np
from torch.utils.data import Sampler


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
