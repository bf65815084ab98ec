import math

import pytest

from equipoise.lab.evaluation import TaskMetric, make_table
from equipoise.lab.evaluation.scores import against, ranks_by_seed, skills_of

ERROR, ACCURACY = TaskMetric("size", "rmse", False, 0.0, 1.0), TaskMetric("kind", "accuracy", True, 1.0, 0.5)
METRICS = [ERROR, ACCURACY]
ALONE = {"size": {0: 0.5, 1: 0.4}, "kind": {0: 0.8, 1: 0.6}}
MINE = {"size": {0: 0.25, 1: 0.8}, "kind": {0: 0.8, 1: 0.9}}


def test_against_single_task_by_hand():
    # changes: seed 0: -50 %, 0 %; seed 1: +100 %, -50 %
    found = against(MINE, ALONE, METRICS)
    assert found.delta_m.mean == pytest.approx((-25 + 25) / 2)
    assert found.delta_p == pytest.approx(-found.delta_m.mean)
    assert found.median_delta_m == pytest.approx(0.0)
    assert found.worst == ("size", pytest.approx(25.0))
    # means 0.525 against 0.45 (lower is better: lost), 0.85 against 0.70 (won)
    assert found.wins == 1
    assert found.ratio == pytest.approx(math.sqrt((0.45 / 0.525) * (0.85 / 0.70)))


def test_the_ratio_of_a_swap_is_the_inverse_where_delta_m_is_not():
    there, back = against(MINE, ALONE, METRICS), against(ALONE, MINE, METRICS)
    assert there.ratio * back.ratio == pytest.approx(1.0)
    assert there.delta_m.mean != pytest.approx(-back.delta_m.mean)


def test_a_tie_is_no_win():
    found = against(ALONE, ALONE, METRICS)
    assert (found.wins, found.ratio, found.delta_m.mean) == (0, pytest.approx(1.0), 0.0)


def test_a_perfect_error_has_no_ratio():
    assert against(MINE | {"size": {0: 0.0, 1: 0.0}}, ALONE, METRICS).ratio is None


def test_only_seeds_that_both_have_count():
    found = against(MINE | {"kind": {0: 0.8}}, ALONE, METRICS)
    assert found.delta_m.n == 1
    assert found.delta_m.mean == pytest.approx(-25.0)
    assert against({"size": {0: 0.2}, "kind": {1: 0.9}}, ALONE, METRICS) is None
    assert against(MINE, {}, METRICS) is None


def test_skills_of_means():
    found = skills_of(MINE, METRICS)  # 1 - 0.525, (0.85 - 0.5) / 0.5
    assert found.average == pytest.approx((0.475 + 0.7) / 2)
    assert found.worst == ("size", pytest.approx(0.475))
    assert found.score == pytest.approx(math.sqrt(0.475 * 0.7))
    assert skills_of(MINE | {"kind": {}}, METRICS) is None


def test_seeds_are_the_blocks_and_directions_are_kept():
    values = {
        "single-task": ALONE,
        "best": {"size": {0: 0.1, 1: 0.1, 2: 0.1}, "kind": {0: 0.9, 1: 0.9, 2: 0.9}},
        "middle": {"size": {0: 0.2, 1: 0.2, 2: 0.2}, "kind": {0: 0.8, 1: 0.8, 2: 0.8}},
        "last": {"size": {0: 0.3, 1: 0.3}, "kind": {0: 0.7, 1: 0.7}},
        "diverged": {"size": {}, "kind": {0: 0.5}},
    }
    found = ranks_by_seed(values, METRICS)
    assert found.names == ("best", "middle", "last")
    assert found.mean_ranks == (1.0, 2.0, 3.0)
    assert found.blocks == 2  # last lacks seed 2
    assert ranks_by_seed({name: values[name] for name in ("single-task", "best", "middle")}, METRICS) is None


def test_fewer_than_two_whole_seeds_have_no_ranks():
    values = {name: {"size": {0: 0.1}, "kind": {0: 0.9}} for name in "abc"}
    assert ranks_by_seed(values, METRICS) is None
    assert make_table(values, METRICS, {}).ranks is None
