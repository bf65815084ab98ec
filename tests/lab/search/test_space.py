import math
from dataclasses import replace

import pytest
from planted import OBJECTIVES, SPACE

from equipoise.lab.search import TPE, Choice, Grid, Halving, Number, Population, Random, Space, Trial, simplex

LR = Number("lr", 1e-4, 1e-2, default=1e-3, log=True)
MODE = Choice("mode", ("a", "b"))


def test_weights_have_mean_one_and_the_ratios_of_the_point():
    weights = SPACE.weights({"log(b/a)": math.log(4.0), "log(c/a)": math.log(0.5)})
    assert sum(weights.values()) == pytest.approx(3.0)
    assert weights["b"] / weights["a"] == pytest.approx(4.0)
    assert weights["c"] / weights["a"] == pytest.approx(0.5)
    assert SPACE.weights(SPACE.default) == {"a": 1.0, "b": 1.0, "c": 1.0}


def test_a_share_of_an_axis_goes_from_its_low_end_up():
    assert [LR.at(share) for share in (0.0, 0.25, 1.0)] == pytest.approx([1e-4, 10**-3.5, 1e-2])
    assert [Number("wd", 1.0, 3.0, default=1.0).at(share) for share in (0.0, 0.25, 1.0)] == [1.0, 1.5, 3.0]


def test_points_and_weights_are_inverse_within_the_span():
    weights = {"a": 0.3, "b": 2.4, "c": 0.3}
    assert SPACE.weights(SPACE.at_weights(weights)) == pytest.approx(weights)
    wide = SPACE.weights(SPACE.at_weights({"a": 1.0, "b": 1e9, "c": 1e-9}))
    assert wide["b"] / wide["a"] == pytest.approx(100.0)
    assert wide["a"] / wide["c"] == pytest.approx(100.0)
    beside = Space(("a", "b"), (LR, MODE)).at_weights({"a": 1.0, "b": 2.0})
    assert beside == {"log(b/a)": pytest.approx(math.log(2.0)), "lr": 1e-3, "mode": "a"}


@pytest.mark.parametrize(("tasks", "parts"), [(2, 5), (3, 10), (4, 7)])
def test_the_simplex_is_every_composition_once(tasks, parts):
    points = simplex(tasks, parts)
    assert len(set(points)) == len(points) == math.comb(parts - 1, tasks - 1)
    assert all(sum(point) == pytest.approx(tasks) and min(point) > 0 for point in points)


def test_a_grid_is_the_finest_that_fits_and_repeats_nothing():
    for trials in (4, 30, 60):
        points = Grid(SPACE, trials).points
        keys = {tuple(point.values()) for point in points}
        assert len(keys) == len(points) <= trials
        assert points[0] == SPACE.default
    assert Grid(SPACE, 37).num_trials == 37  # the 36 of ten parts, and equal weights
    space = Space(("a", "b"), (LR, MODE))
    grid = Grid(space, 60)
    assert grid.num_trials <= 60
    assert sorted({point["lr"] for point in grid.points}) == pytest.approx([1e-4, 1e-3, 1e-2])
    assert {point["mode"] for point in grid.points} == {"a", "b"}
    with pytest.raises(ValueError, match=r"a grid over log\(b/a\), lr, mode needs 13 trials, got 12"):
        Grid(space, 12)
    assert Grid(space, 13).num_trials <= 13


@pytest.mark.parametrize("concentration", [1.0, None])
def test_random_points_are_spread_over_their_range(concentration):
    space = Space(("a", "b"), (LR, MODE))
    jobs = [Random(space, 400, 1, concentration).job(number, {}) for number in range(400)]
    assert jobs[0].point == space.default
    share = [space.weights(job.point)["a"] / 2 for job in jobs[1:]]
    if concentration:  # even on the simplex
        assert all(abs(sum(s < q for s in share) / 399 - q) < 0.08 for q in (0.1, 0.25, 0.5, 0.75, 0.9))
    else:  # even in the logarithm
        logs = [math.log(s / (1 - s)) / math.log(100) for s in share]
        assert all(abs(sum(v < q for v in logs) / 399 - (q + 1) / 2) < 0.08 for q in (-0.8, -0.5, 0.0, 0.5, 0.8))
    lrs = [math.log10(job.point["lr"]) for job in jobs[1:]]
    assert abs(sum(lr < -3 for lr in lrs) / 399 - 0.5) < 0.08
    assert 0.4 < sum(job.point["mode"] == "a" for job in jobs[1:]) / 399 < 0.6


@pytest.mark.parametrize("concentration", [1.0, None])
def test_a_seed_decides_every_point_but_the_first(concentration):
    one, again, other = (
        [Random(SPACE, 20, seed, concentration).job(number, {}).point for number in range(20)] for seed in (1, 1, 2)
    )
    assert one == again
    assert [first == second for first, second in zip(one, other, strict=True)] == [True] + [False] * 19


def test_a_larger_concentration_stays_nearer_to_equal_weights():
    spread = [
        sum(
            abs(log)
            for number in range(200)
            for log in Random(SPACE, 200, 0, concentration).job(number, {}).point.values()
        )
        for concentration in (0.5, 1.0, 50.0)
    ]
    assert spread[0] > 1.3 * spread[1] > 5 * spread[2]


@pytest.mark.parametrize(("trials", "start", "random"), [(12, None, 4), (60, None, 10), (12, 2, 2)])
def test_tpe_begins_with_random_points_then_waits_for_all_trials_but_the_latest(trials, start, random):
    strategy, drawn = TPE(SPACE, OBJECTIVES, trials, 3, start=start, lag=2), Random(SPACE, trials, 3, None)
    assert all(strategy.job(number, {}) == drawn.job(number, {}) for number in range(random + 1))
    number = random + 1
    finished = {earlier: Trial(drawn.job(earlier, {}), (1.0 + earlier, 1.0, 1.0)) for earlier in range(number - 1)}
    job = strategy.job(number, finished)
    assert job.point != drawn.job(number, {}).point
    assert job.point != replace(strategy, seed=4).job(number, finished).point
    assert strategy.job(number, {**finished, number - 1: Trial(drawn.job(number - 1, {}), (0.1, 0.1, 0.1))}) == job
    assert strategy.job(number, {earlier: finished[earlier] for earlier in range(number - 2)}) is None


def test_halving_keeps_at_least_its_part_of_an_odd_number():
    assert Halving(SPACE, OBJECTIVES, 5, factor=2, stages=3).begins == (0, 5, 8, 10)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Space(), "nothing to search"),
        (lambda: Space(("a",)), "'a' is the only task"),
        (lambda: Space(("a", "b"), (LR, LR)), "'lr' is searched twice"),
        (lambda: Space(("a", "b"), span=1.0), "span must be above 1 and finite, got 1.0"),
        (lambda: Number("lr", 0.0, 1.0, default=0.5, log=True), "positive, finite and rising, got 0.0:1.0"),
        (lambda: Number("lr", 0.0, 1.0, default=2.0), "the default 2.0 of 'lr' is outside its range 0.0:1.0"),
        (lambda: Choice("mode", ("a",)), "needs two options or more"),
        (lambda: Random(SPACE, 0), "trials must be at least 1, got 0"),
        (lambda: Random(SPACE, 3, concentration=0.0), "concentration must be positive or None, got 0.0"),
        (lambda: TPE(SPACE, OBJECTIVES, 3, lag=0), "lag must be at least 1, got 0"),
        (lambda: TPE(SPACE, OBJECTIVES, 3, start=0), "start must be at least 1 or None, got 0"),
        (lambda: Halving(SPACE, OBJECTIVES, 3, factor=1), "factor must be at least 2, got 1"),
        (lambda: Population(SPACE, OBJECTIVES, 3), "members must be at least 4, got 3"),
        (lambda: Population(Space(("a", "b"), (LR,)), OBJECTIVES, 4), "weights only: leave out 'lr'"),
        (lambda: Population(SPACE, OBJECTIVES, 4, step=1.0), "step must be above 1 and finite, got 1.0"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
