"""The random orders in which gradient surgery meets the other tasks."""

import numpy as np
from numpy.typing import NDArray


def random_orders(seed: int, step: int, num_tasks: int) -> NDArray[np.intp]:
    """Whom each task meets in each round [K - 1, K]: every other task once, in an order of its own.

    It follows from the seed and the number of the step, so every process draws the same.

    >>> random_orders(0, 0, 2)
    array([[1, 0]])
    """
    if num_tasks == 2:  # nothing to draw
        return np.array([[1, 0]])
    keys = np.random.default_rng((seed, step)).random((num_tasks, num_tasks))
    np.fill_diagonal(keys, np.inf)  # a task's own index comes last, and is left out
    return keys.argsort(axis=1)[:, :-1].T
