"""The matrix that makes all singular values of K rows equal, from their gramian.

Senushkin et al., Independent Component Alignment for Multi-Task Learning, CVPR 2023, algorithm 1.
"""

import numpy as np

from equipoise.aggregation.solvers.min_norm import EPSILON, Array

CLOSE = 1e-6  # a ratio of the gramian's eigenvalues that leaves the least ten digits


def alignment(gramian: Array, scale: str) -> tuple[Array, bool]:
    """B [K, K] with B @ gramian @ B = s^2 times the projection on the rows' span, and whether that is whole.

    It is not where the singular values spread so far that the smallest are lost to rounding.

    Where they spread little they are the roots of the gramian's eigenvalues. Otherwise they are those of the unit
    rows' factor, scaled row by row: norms may spread over fifteen digits, where the eigenvalues would hide all but
    eight.

    Args:
        gramian: [K, K], float64, positive semidefinite, finite.
        scale: What s is: ``"min"``, the smallest singular value that is not zero, ``"median"``, their (lower) median,
            or ``"rmse"``, the root of their mean square.

    >>> alignment(np.diag([4.0, 0.25]), "min")
    (array([[0.25, 0.  ],
            [0.  , 1.  ]]), True)
    """
    epsilon = len(gramian) * EPSILON
    values, basis = np.linalg.eigh(gramian)
    if values[0] > CLOSE * values[-1]:
        singular = np.sqrt(values[::-1])
        return _turn(basis[:, ::-1], singular, scale), True
    norms = np.sqrt(gramian.diagonal())
    lengths = np.where(norms > 0, norms, 1.0)
    values, vectors = np.linalg.eigh(gramian / lengths[:, None] / lengths)
    kept = values > epsilon * values[-1]  # dependent rows are found among unit rows, whatever their scales
    if not kept.any():
        return np.zeros_like(gramian), True
    factor = norms[:, None] * vectors[:, kept] * np.sqrt(values[kept])
    basis, singular, _ = np.linalg.svd(factor, full_matrices=False)
    singular = singular[singular > epsilon * singular[0]]  # in falling order
    basis = basis[:, : len(singular)]
    return _turn(basis, singular, scale), bool(len(singular) == kept.sum())


def _turn(basis: Array, singular: Array, scale: str) -> Array:
    """B for the singular values, in falling order, and their left vectors."""
    if scale == "min":
        chosen = singular[-1]
    elif scale == "median":
        chosen = singular[len(singular) // 2]
    else:
        chosen = np.sqrt(np.mean(singular**2))
    return np.asarray((basis * (chosen / singular)) @ basis.T)
