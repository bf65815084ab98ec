import numpy as np
import pytest

from equipoise.aggregation.solvers.simplex import nearest_in_simplex


def points():
    generator = np.random.default_rng(0)
    for size in (1, 2, 3, 8, 40):
        for scale in (1e-9, 1e-2, 1.0, 1e3, 1e30):
            for _ in range(20):
                yield scale * generator.standard_normal(size)
    yield np.zeros(4)
    yield np.array([5.0, 5.0, 5.0, -1e30])


def test_it_is_in_the_simplex_and_no_vertex_is_nearer():
    for point in points():
        weights = nearest_in_simplex(point)
        assert (weights >= 0).all()
        assert weights.sum() == pytest.approx(1, abs=1e-12)
        # the distance's slope along w - vertex is not negative: (w - point) . (vertex - w) >= 0
        slopes = weights - point
        assert slopes.min() >= weights @ slopes - 1e-12 * (1 + np.abs(point).max())


def test_two_entries_have_a_closed_form():
    for point in np.random.default_rng(1).standard_normal((50, 2)):
        first = np.clip((1 + point[0] - point[1]) / 2, 0, 1)
        np.testing.assert_allclose(nearest_in_simplex(point), [first, 1 - first], atol=1e-15)


def test_a_common_summand_changes_nothing():
    point = np.array([0.3, -0.4, 0.9, 0.1])
    np.testing.assert_allclose(nearest_in_simplex(point + 1000.0), nearest_in_simplex(point), atol=1e-12)


def test_points_of_the_simplex_stay():
    for weights in np.random.default_rng(2).dirichlet(np.ones(6), size=20):
        np.testing.assert_allclose(nearest_in_simplex(weights), weights, atol=1e-15)
