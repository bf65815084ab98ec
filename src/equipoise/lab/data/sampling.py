"""How often each source is drawn from where every task has a data set of its own, of its own size.

Arivazhagan et al., Massively Multilingual Neural Machine Translation in the Wild, 2019, section 3.2.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler


def source_shares(sizes: Sequence[int], temperature: float = 1.0) -> list[float]:
    """p_k = n_k^(1 / T) / sum_j n_j^(1 / T): proportional at T = 1, square-root at T = 2, uniform at T = inf.

    Args:
        sizes: How many samples each source has, n_k, at least 1.
        temperature: T, positive; above 1 small sources are drawn more often than their size says.

    Raises:
        ValueError: If an argument is out of its range.

    >>> [round(share, 9) for share in source_shares([900, 100], temperature=2.0)]
    [0.75, 0.25]
    """
    if not sizes or min(sizes) < 1:
        raise ValueError(f"sizes must be 1 or more for each source, got {list(sizes)}")
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature!r}")
    logs = [math.log(size) / temperature for size in sizes]
    powers = [math.exp(log - max(logs)) for log in logs]
    return [power / sum(powers) for power in powers]


class SourceSampler(Sampler[int]):
    """Indices into a ``torch.utils.data.ConcatDataset`` of sources: each draw is from source k with probability p_k.

    Within an epoch every sample of a source comes once before one comes again. The draws are a function of the seed
    and the epoch, and of nothing else.

    Args:
        sizes: How many samples each source has, n_k, at least 1.
        temperature: T, as in ``source_shares``.
        num_samples: Draws per epoch, at least 1; None: as many as there are samples.
        seed: 0 or more.

    Raises:
        ValueError: If an argument is out of its range.

    >>> list(SourceSampler([2, 1], num_samples=2)) == list(SourceSampler([2, 1], num_samples=2))
    True
    """

    def __init__(
        self, sizes: Sequence[int], *, temperature: float = 1.0, num_samples: int | None = None, seed: int = 0
    ) -> None:
        if num_samples is not None and num_samples < 1:
            raise ValueError(f"num_samples must be at least 1 or None, got {num_samples!r}")
        if seed < 0:
            raise ValueError(f"seed must be 0 or more, got {seed!r}")
        self.shares = source_shares(sizes, temperature)
        self.sizes = list(sizes)
        self.num_samples = sum(sizes) if num_samples is None else num_samples
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose draws the next iteration takes."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.num_samples

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng((self.seed, self.epoch))
        offsets = np.cumsum([0, *self.sizes[:-1]])
        left: list[list[int]] = [[] for _ in self.sizes]  # of each source, what has not come yet in this round
        for source in generator.choice(len(self.sizes), size=self.num_samples, p=self.shares):
            if not left[source]:
                left[source] = generator.permutation(self.sizes[source]).tolist()
            yield int(offsets[source]) + left[source].pop()
