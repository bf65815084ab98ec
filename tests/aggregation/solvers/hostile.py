"""Rows that break solvers: dependent, duplicated, opposite, zero, and of norms from 1e-9 to 1e9."""

import numpy as np

SIZES = (2, 3, 5, 10, 40, 128)
KINDS = (
    "generic",
    "aligned",
    "low rank",
    "duplicated",
    "nearly duplicated",
    "opposite",
    "centred",
    "centred low rank",
    "zero low rank",
    "equal",
    "scaled",
    "scaled low rank",
    "scaled duplicated opposite",
    "scaled zero",
)


def rows_of(kind, k, rng):
    rows = rng.standard_normal((k, max(1, k // 4) if "rank" in kind else 3 * k))
    if "duplicated" in kind:
        rows = rows[rng.integers(0, max(1, k // 2), k)]
    if "nearly" in kind:
        rows = rows + 1e-8 * rng.standard_normal(rows.shape)
    if "opposite" in kind:
        rows[k // 2 : 2 * (k // 2)] = -rows[: k // 2] * rng.exponential(size=(k // 2, 1))
    if "centred" in kind:
        rows = rows - rows.mean(axis=0)
    if "aligned" in kind:
        rows = rows + 2 * rng.standard_normal(rows.shape[1])
    if "equal" in kind:
        rows = np.repeat(rows[:1], k, axis=0)
    if "zero" in kind:
        rows[rng.random(k) < 0.3] = 0
    if "scaled" in kind:
        rows = rows * 10 ** rng.uniform(-9, 9, (k, 1))
    return rows


def problems(kind, seed=0):
    """Rows of every size, of the small ones many."""
    rng = np.random.default_rng((KINDS.index(kind), seed))
    for k in SIZES:
        for _ in range({2: 12, 3: 16, 5: 16, 10: 6, 40: 1, 128: 1}[k]):
            yield rows_of(kind, k, rng), rng
