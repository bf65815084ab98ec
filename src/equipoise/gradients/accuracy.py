"""Whether float32 products of gradients are good enough: in range, not cancelled, far from where all rows cancel."""

from collections.abc import Callable
from math import sqrt
from operator import mul

import numpy as np
import numpy.typing as npt
from torch import Tensor

_SAFE = (1e-30, 1e30)  # squared norms between which float32 products neither vanish nor overflow
_CANCELLED = 16.0  # terms over their sum from which on a float32 product has lost more than a digit
_NEARLY_DEPENDENT = 1e-4  # smallest eigenvalue of the cosines below which float32 products may hide the optimum
_FEW = 8  # rows up to which plain numbers take less time than arrays


def is_accurate(gramian: Tensor, terms: Tensor, is_nonzero: Callable[[int], bool]) -> bool:
    """Of products of float32 numbers.

    Args:
        gramian: [K, K], symmetric, in float64 on the host.
        terms: [K], how large the terms were that each square is a sum of.
        is_nonzero: Whether a row, by its number, has a number other than zero.
    """
    squared = gramian.diagonal().tolist()
    if not all(term <= _CANCELLED * square for term, square in zip(terms.tolist(), squared, strict=True)):
        return False
    for row, square in enumerate(squared):
        if not _SAFE[0] < square < _SAFE[1] and (square != 0 or is_nonzero(row)):
            return False
    return (len(squared) <= _FEW and _are_clearly_apart(gramian.tolist())) or _are_independent(gramian.numpy())


# By Gershgorin no eigenvalue of the cosines is smaller than 2 less the largest sum of a row's sizes.


def _are_clearly_apart(products: list[list[float]]) -> bool:
    """Whether no rows, of few, point away from each other, or too little to cancel."""
    if all(product >= 0 for row in products for product in row):  # which NaN is not
        return True
    inverse = [1 / sqrt(row[k]) if row[k] > 0 else 0.0 for k, row in enumerate(products)]
    sums = [norm * sum(map(mul, map(abs, row), inverse)) for norm, row in zip(inverse, products, strict=True)]
    return bool(2 - max(sums) > _NEARLY_DEPENDENT)


def _are_independent(products: npt.NDArray[np.float64]) -> bool:
    """The same of many rows, and whether the cosines have no eigenvalue near zero."""
    if products.min(initial=0.0) >= 0:
        return True
    squared = products.diagonal()
    nonzero = squared > 0
    norms = np.sqrt(squared[nonzero])
    cosines = products[np.ix_(nonzero, nonzero)] / norms / norms[:, None]
    least = 2 - np.abs(cosines).sum(axis=1).max()
    return bool(least > _NEARLY_DEPENDENT) or _is_above(cosines, _NEARLY_DEPENDENT)


def _is_above(matrix: npt.NDArray[np.float64], bound: float) -> bool:
    """Whether each eigenvalue of a symmetric matrix [K, K] is larger: Cholesky takes a third of the time of all."""
    try:
        np.linalg.cholesky(matrix - bound * np.eye(len(matrix)))
    except np.linalg.LinAlgError:
        return False
    return True
