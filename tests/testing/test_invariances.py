"""What the page of methods says of each, against definitions that need no run, and methods made to break one each."""

from functools import cache, partial

import pytest
import torch
from torch import Tensor

import equipoise as eq
from equipoise.testing import NUM_TASKS, Invariances, exceptions_of, invariances, laws_of
from equipoise.testing.laws import is_homogeneous

ROWS = {row.name: row for row in eq.methods()}


@cache
def of(name: str) -> Invariances:
    return invariances(partial(ROWS[name].make, NUM_TASKS))


# one loss, degree, copy, rotation
BY_DEFINITION = {
    "sum": (False, 1, False, True),
    "log-sum": (True, 0, False, True),  # sum_k g_k / loss_k
    "gls": (True, 1, False, True),  # the same direction, times a mean of the losses
    "tchebycheff": (False, 1, True, True),  # the worst loss alone
    "mgda": (False, 1, True, True),  # the convex hull does not know how often a point was named
    "nash-mtl": (True, 0, False, True),  # G alpha = 1 / alpha: alpha_k scales as 1 / |g_k|; a copy is one more player
    "imtl-g": (True, 1, True, True),  # equal projections on unit vectors, weights of sum one
    "config": (True, 1, True, True),  # equal cosines, as long as the sum along it
    "unit-norm": (True, 0, False, True),
    "max-norm": (True, 1, False, True),
    "fairgrad": (False, -1 / 3, False, True),  # (1 - alpha) / (1 + alpha) with alpha = 2
    "loss-norm": (False, -1, False, True),  # rows of length 1 / loss
    "clip": (False, None, False, True),  # max_norm is a length
    "stch": (False, None, False, True),  # mu is a loss
    "graddrop": (False, 1, False, False),  # the signs of coordinates
    "median": (False, 1, False, False),
    "db-mtl": (True, 0, False, True),  # norms of averaged rows, though it needs the rows
    "dualproj": (False, 1, False, True),  # the mean knows of the copy, though the cone does not
}


@pytest.mark.parametrize(("name", "expected"), BY_DEFINITION.items())
def test_what_is_right_by_definition(name, expected):
    one_loss, degree, copy, rotation = expected
    assert of(name) == Invariances(
        one_loss, None if degree is None else pytest.approx(degree, abs=1e-5), copy, rotation
    )


def test_two_tasks_at_right_angles_are_mgdas_in_inverse_proportion_to_their_squares():
    """The closed form behind its "no": with g_1 = (1, 0) and g_2 = (0, c), d ~ (c, 1)."""
    for c in (1.0, 3.0):
        rows = torch.tensor([[1.0, 0.0], [0.0, c]], dtype=torch.float64)
        direction = eq.MGDA()(rows @ rows.T, torch.ones(2)) @ rows
        torch.testing.assert_close(direction[0], c * direction[1])


@pytest.mark.parametrize("name", ROWS)
def test_whoever_sees_products_of_gradients_only_turns_with_the_space(name):
    if not issubclass(ROWS[name].cls, eq.CoordinateAggregator | eq.GroupAggregator):
        assert of(name).rotation


@pytest.mark.parametrize("name", ROWS)
def test_the_degree_is_zero_or_one_exactly_where_the_law_of_scales_is_kept(name):
    make = partial(ROWS[name].make, NUM_TASKS)
    assert (of(name).degree in (0, 1)) == (is_homogeneous in laws_of(make)), exceptions_of(make).get("is_homogeneous")


@pytest.mark.parametrize("name", ROWS)
def test_whose_direction_ignores_each_loss_is_homogeneous(name):
    """All losses times c is each of them times c in turn."""
    found = of(name)
    assert found.degree is not None or not found.one_loss


@pytest.mark.parametrize("name", ROWS)
def test_whose_direction_ignores_the_scale_of_a_loss_does_not_lose_a_users_weight(name):
    """A weight scales the loss: where that has no effect it is a preference, or said to be ignored."""
    assert not of(name).one_loss or ROWS[name].user_weight in ("preference", "ignored")


class Leaning(eq.CoordinateAggregator):
    """The sum, but the first coordinate counts double."""

    def forward(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        scale = torch.ones_like(jacobian[0])
        scale[0] = 2
        return scale * jacobian.sum(dim=0)


class First(eq.Aggregator):
    """The first task alone: no copy, no scale of a loss turns it."""

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        return (tasks == 0).to(losses)


class Flips(eq.Weighting):
    """The sum, backwards once losses are large: of no degree."""

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        return losses.sum() * (-1 if losses.max() > 10 else 1)


class Learns(eq.Weighting):
    """The sum at first, the sum of logarithms from the fifth step on. What only the start does is not asked."""

    def bind(self, num_tasks: int) -> None:
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        self.steps += 1
        return losses.log().sum() if self.steps > 4 else losses.sum()


class SquareRoot(eq.Weighting):
    """sum_k sqrt(loss_k): of degree 1/2, and the copy of a task counts."""

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        return losses.sqrt().sum()


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (Leaning, Invariances(one_loss=False, degree=1.0, copy=False, rotation=False)),
        (First, Invariances(one_loss=True, degree=1.0, copy=True, rotation=True)),
        (Flips, Invariances(one_loss=False, degree=None, copy=False, rotation=True)),
        (Learns, Invariances(one_loss=True, degree=0.0, copy=False, rotation=True)),
        (SquareRoot, Invariances(one_loss=False, degree=0.5, copy=False, rotation=True)),
    ],
)
def test_a_users_method_gets_its_own_answers(make, expected):
    assert invariances(make) == expected


def test_words():
    assert Invariances(True, -1 / 3, False, True).cells == ("yes", "−1/3", "no", "yes")
    assert Invariances(False, None, True, False).cells == ("no", "neither", "yes", "no")
    assert Invariances(False, 1.0, True, False).cells[1] == "1"
