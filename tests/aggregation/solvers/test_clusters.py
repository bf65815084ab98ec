from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose

from equipoise.aggregation.solvers.clusters import clusters


def brute_force(values, number):
    """The least sum of squares over all assignments to so many groups, contiguous or not."""
    best = np.inf
    for labels in product(range(number), repeat=len(values)):
        labels = np.array(labels)
        groups = [values[labels == label] for label in range(number)]
        best = min(best, sum(((g - g.mean()) ** 2).sum() for g in groups if len(g)))
    return best


@pytest.mark.paired
@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e150])
def test_no_partition_has_a_smaller_sum_of_squares(size, number, scale):
    rng = np.random.default_rng(size)
    for _ in range(5):
        values = rng.standard_normal(size) + 3
        centres, squares = clusters(values * scale, number)
        assert_allclose(((values - centres / scale) ** 2).sum(), brute_force(values, number), rtol=1e-9, atol=1e-12)
        assert_allclose(
            squares / scale**2 if scale == 1.0 else 0, brute_force(values, number) if scale == 1.0 else 0, atol=1e-12
        )
        assert len(set(centres)) <= number
        for centre in set(centres):
            assert_allclose(centre, (values * scale)[centres == centre].mean())


def test_groups_far_from_each_other_hide_nothing():
    values = np.array([1e9, 1.0, 2.0, 100.0, -1e9])
    assert clusters(values, 4)[0].tolist() == [1e9, 1.5, 1.5, 100.0, -1e9]


def test_as_many_groups_as_numbers_leave_each_alone():
    values = np.array([3.0, 1.0, 2.0])
    for number in (3, 10):
        centres, squares = clusters(values, number)
        assert centres.tolist() == values.tolist()
        assert squares == 0


def test_equal_numbers_and_zeros():
    for values in (np.full(4, 2.5), np.zeros(4)):
        centres, squares = clusters(values, 2)
        assert centres.tolist() == values.tolist()
        assert squares == 0
