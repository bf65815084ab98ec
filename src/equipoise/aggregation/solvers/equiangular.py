"""The combination of K unit rows that has given products with them, from their cosines alone.

Liu et al., Towards Impartial Multi-task Learning, ICLR 2021, and Liu et al., ConFIG, ICLR 2025, both ask for the
direction d with u_k . d = p_k for the unit rows u_k: d = sum_k b_k u_k with C b = p for the cosines C.
"""

import numpy as np

from equipoise.aggregation.solvers.min_norm import Array

TOLERANCE = 1e-6  # of the largest product asked for; as many digits as the answer has where rounding hides cosines
DEFINITE = 1e-6  # a least eigenvalue of the cosines that leaves the equations ten digits


def equiangular(gramian: Array, products: Array) -> tuple[Array, bool]:
    """The b of least norm among those with the least |cosines @ b - products|, and whether that is zero.

    Args:
        gramian: [K, K], float64, positive semidefinite, finite.
        products: [K], positive: what every unit row shall have with the combination.

    Returns:
        b [K], which weighs the unit rows, zero where a row is; and whether the equations of all K rows hold. They
        cannot where a row is zero, nor where an affine combination of rows, each divided by its product, is zero.

    >>> equiangular(np.array([[4.0, 1.0], [1.0, 1.0]]), np.ones(2))  # the cosine is 1/2
    (array([0.66666667, 0.66666667]), True)
    """
    norms = np.sqrt(gramian.diagonal())
    scale = np.where(norms > 0, norms, 1.0)
    cosines = gramian / scale[:, None] / scale
    if (norms > 0).all() and _is_definite(cosines):
        return np.asarray(np.linalg.solve(cosines, products)), True
    values, vectors = np.linalg.eigh(cosines)
    kept = values > len(values) * np.finfo(np.float64).eps * values[-1]
    span = vectors[:, kept]
    shares = np.where(norms > 0, span @ (span.T @ products / values[kept]), 0.0)
    residual = np.abs(cosines @ shares - products).max()
    return shares, bool(residual <= TOLERANCE * products.max())


def _is_definite(cosines: Array) -> bool:
    try:
        np.linalg.cholesky(cosines - DEFINITE * np.eye(len(cosines)))
    except np.linalg.LinAlgError:
        return False
    return True
