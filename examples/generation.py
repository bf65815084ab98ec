"""Generators: how far generated samples are from real ones, in the features of a classifier of your choice.

Heusel et al., GANs Trained by a Two Time-Scale Update Rule, NeurIPS 2017, eq. (6): the Fréchet distance.
Kynkäänniemi et al., Improved Precision and Recall Metric for Assessing Generative Models, NeurIPS 2019, eq. (1)-(3).
The features decide what is seen: numbers from different classifiers are not comparable.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

Features = Callable[[Tensor], Tensor]


def gaussian_distance(mean: Tensor, covariance: Tensor, other_mean: Tensor, other_covariance: Tensor) -> Tensor:
    """|m - m'|² + tr(S + S' - 2 (S S')^½), a scalar >= 0.

    tr (S S')^½ is the sum of the roots of the eigenvalues of S^½ S' S^½, which is symmetric: rounding leaves no complex
    root to drop. Means are [D], covariances [D, D], all float64.

    >>> one = torch.eye(1, dtype=torch.float64)
    >>> gaussian_distance(one[0], 4 * one, 3 * one[0], one)  # (1 - 3)² + (2 - 1)²
    tensor(5., dtype=torch.float64)
    """
    values, vectors = torch.linalg.eigh(covariance)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ other_covariance @ root).clamp(min=0).sqrt().sum()
    spread = covariance.trace() + other_covariance.trace() - 2 * cross
    distance: Tensor = (mean - other_mean).square().sum() + spread
    return distance.clamp(min=0)


def frechet_distance(generated: Tensor, real: Tensor) -> Tensor:
    """``gaussian_distance`` of two sets of features [N, D] and [M, D], with unbiased covariances.

    NaN with fewer than two samples on a side. With few samples it is biased upwards: compare at equal numbers.
    """
    moments = (_moments(*_sums(features)) for features in (generated, real))
    (mean, covariance), (other_mean, other_covariance) = moments
    return gaussian_distance(mean, covariance, other_mean, other_covariance)


def neighbour_coverage(covered: Tensor, covering: Tensor, k: int = 3) -> Tensor:
    """Share of ``covered`` [N, D] that lies in a ball around some sample of ``covering`` [M, D], a scalar.

    The ball's radius is the distance to the k-th nearest other sample of ``covering``. Precision is the coverage of
    generated samples by real ones, recall the reverse.

    Raises:
        ValueError: If ``covering`` does not have more than k samples.

    >>> neighbour_coverage(torch.tensor([[0.5], [9.0]]), torch.tensor([[0.0], [1.0], [2.0]]), k=1)
    tensor(0.5000, dtype=torch.float64)
    """
    if len(covering) <= k:
        raise ValueError(f"k must be below the number of samples, got k = {k} with {len(covering)} samples")
    covering, covered = covering.double(), covered.double()
    # the nearest of all is the sample itself
    radii = torch.cat([_distances(part, covering).kthvalue(k + 1, dim=1).values for part in covering.split(_ROWS)])
    inside = torch.cat([(_distances(part, covering) <= radii).any(dim=1) for part in covered.split(_ROWS)])
    return inside.double().mean()


_ROWS = 1024  # of distances held at once


def _distances(rows: Tensor, columns: Tensor) -> Tensor:
    """[R, C]; not by a matrix product, which would put a sample at a distance from itself."""
    return torch.cdist(rows, columns, compute_mode="donot_use_mm_for_euclid_dist")


def _sums(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Number, sum [D] and sum of outer products [D, D]."""
    features = features.double()
    return torch.tensor(len(features), device=features.device), features.sum(dim=0), features.T @ features


def _moments(count: Tensor, total: Tensor, products: Tensor) -> tuple[Tensor, Tensor]:
    mean = total / count
    return mean, (products - count * torch.outer(mean, mean)) / (count - 1)


def _read(features: Features | None, samples: Tensor) -> Tensor:
    """Features [N, D] of samples.

    Raises:
        ValueError: If they have another shape.
    """
    with torch.no_grad():
        found = samples if features is None else features(samples)
    if found.dim() != 2:
        raise ValueError(f"features must be [N, D], got {tuple(found.shape)}: flatten or pool them")
    return found.detach()


class FrechetDistance(Metric):
    """Fréchet distance between generated and real samples, from sums that do not depend on the batches.

    Args:
        num_features: D.
        features: Samples -> features [N, D], as ``classifier.eval()`` cut before its last layer; by default samples
            are features already.
        options: Those of ``torchmetrics.Metric``.

    ``update(generated, real)``; the two need not be equally many. NaN with fewer than two on a side.
    """

    full_state_update = False
    higher_is_better: bool = False
    plot_lower_bound: float = 0.0

    def __init__(self, num_features: int, features: Features | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.num_features = num_features
        self.features = features
        for side in _SIDES:
            self.add_state(f"{side}_count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
            self.add_state(f"{side}_total", torch.zeros(num_features, dtype=torch.float64), dist_reduce_fx="sum")
            products = torch.zeros(num_features, num_features, dtype=torch.float64)
            self.add_state(f"{side}_products", products, dist_reduce_fx="sum")

    def update(self, generated: Tensor, real: Tensor) -> None:
        """Take one batch of each."""
        for side, samples in zip(_SIDES, (generated, real), strict=True):
            features = _read(self.features, samples)
            if features.shape[1] != self.num_features:
                raise ValueError(f"num_features is {self.num_features}, but {side} has {features.shape[1]}")
            for name, value in zip(_SUMS, _sums(features), strict=True):
                getattr(self, f"{side}_{name}").add_(value)

    def compute(self) -> Tensor:
        """The distance so far, a scalar >= 0."""
        moments: list[Tensor] = []
        for side in _SIDES:
            count, total, products = (getattr(self, f"{side}_{name}") for name in _SUMS)
            if count < 2:
                return torch.tensor(torch.nan)
            moments += _moments(count, total, products)
        return gaussian_distance(*moments)


_SIDES = ("generated", "real")
_SUMS = ("count", "total", "products")


class GeneratedPrecision(Metric):
    """Share of generated samples among the real ones: are they realistic? ``neighbour_coverage`` by the real ones.

    Args:
        k: The neighbour that gives a ball's radius.
        features: Samples -> features [N, D]; by default samples are features already.
        options: Those of ``torchmetrics.Metric``.

    ``update(generated, real)``. Keeps all features. NaN without generated or with at most k real samples.
    """

    full_state_update = False
    higher_is_better: bool = True
    plot_lower_bound: float = 0.0
    plot_upper_bound: float = 1.0
    generated: list[Tensor]
    real: list[Tensor]

    def __init__(self, k: int = 3, features: Features | None = None, **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(k, int) or k < 1:
            raise ValueError(f"k must be a positive integer, got {k!r}: 3 is usual")
        self.k = k
        self.features = features
        self.add_state("generated", [], dist_reduce_fx="cat")
        self.add_state("real", [], dist_reduce_fx="cat")

    def update(self, generated: Tensor, real: Tensor) -> None:
        """Take one batch of each."""
        self.generated.append(_read(self.features, generated))
        self.real.append(_read(self.features, real))

    def compute(self) -> Tensor:
        """The share so far, a scalar."""
        return self._coverage(self.generated, self.real)

    def _coverage(self, covered: list[Tensor], covering: list[Tensor]) -> Tensor:
        if not len(covered) or not len(covering):
            return torch.tensor(torch.nan)
        inner, outer = dim_zero_cat(covered), dim_zero_cat(covering)
        return neighbour_coverage(inner, outer, self.k) if len(outer) > self.k else torch.tensor(torch.nan)


class GeneratedRecall(GeneratedPrecision):
    """Share of real samples among the generated ones: are they diverse? Arguments as for ``GeneratedPrecision``."""

    def compute(self) -> Tensor:
        """The share so far, a scalar."""
        return self._coverage(self.real, self.generated)
