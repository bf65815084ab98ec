"""How far a point is from Pareto-stationarity, by an independent solver."""

import numpy as np
import scipy.optimize


def residual(rows):
    """min over the simplex of |w @ rows|^2, over the sum of the rows' squared lengths; 0 where all rows are zero.

    By non-negative least squares (Lawson and Hanson) with the constraint sum w = 1 as a heavy row.
    """
    rows = np.asarray(rows, dtype=np.float64)
    trace = (rows**2).sum()
    if trace == 0:
        return 0.0
    rows = rows / np.sqrt(trace)
    heavy = 1e6
    system = np.vstack([rows.T, heavy * np.ones(len(rows))])
    weights, _ = scipy.optimize.nnls(system, np.append(np.zeros(rows.shape[1]), heavy))
    shortest = weights / weights.sum() @ rows
    return float(shortest @ shortest)
