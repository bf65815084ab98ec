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
    """Numbers of samples in a ``torch.utils.data.ConcatDataset`` of sources, each draw from source k with share p_k.

    Within an epoch every sample of a source comes once before one comes again. The draws are a function of the seed
    and the epoch, and of nothing else.

    Args:
        sizes: How many samples each source has.
        temperature: As in ``source_shares``.
        samples: Draws per epoch; None: as many as there are samples.
        seed: 0 or more.
    """

    def __init__(
        self, sizes: Sequence[int], *, temperature: float = 1.0, samples: int | None = None, seed: int = 0
    ) -> None:
        self.shares = source_shares(sizes, temperature)
        self.sizes = list(sizes)
        self.samples = sum(sizes) if samples is None else samples
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose draws the next iteration takes."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.samples

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng((self.seed, self.epoch))
        begins = np.cumsum([0, *self.sizes[:-1]])
        rounds: list[list[int]] = [[] for _ in self.sizes]
        for source in random.choice(len(self.sizes), size=self.samples, p=self.shares):
            if not rounds[source]:
                rounds[source] = random.permutation(self.sizes[source]).tolist()
            yield int(begins[source]) + rounds[source].pop()
