import math

import pytest

from equipoise.lab.cases import Metric
from equipoise.lab.training.selection import best_epoch, mean_skill, should_stop, skill

ERROR = Metric("error", higher_is_better=False, perfect=0.0, trivial=2.0, compute=lambda outputs, targets: 0.0)
SHARE = Metric("share", higher_is_better=True, perfect=1.0, trivial=0.6, compute=lambda outputs, targets: 0.0)


@pytest.mark.parametrize(
    ("value", "metric", "expected"),
    [(2.0, ERROR, 0), (0.0, ERROR, 1), (0.5, ERROR, 0.75), (3.0, ERROR, -0.5), (0.6, SHARE, 0), (0.7, SHARE, 0.25)],
)
def test_skill_is_0_for_a_constant_and_1_when_perfect(value, metric, expected):
    assert skill(value, metric) == pytest.approx(expected)


def test_skill_of_what_cannot_be_learnt_is_an_error():
    with pytest.raises(ValueError, match="'share'"):
        skill(0.5, Metric("share", True, 1.0, 1.0, SHARE.compute))


def test_mean_skill_takes_the_first_metric_of_each_task_present():
    metrics = {"a": (ERROR, SHARE), "b": (SHARE,), "absent": (SHARE,)}
    values = {"a": {"error": 1.0, "share": 1.0, "loss": 9.0}, "b": {"share": 0.6, "loss": 9.0}}
    assert mean_skill(values, metrics) == pytest.approx((0.5 + 0.0) / 2)


def test_best_epoch_is_the_first_of_the_largest_and_nan_is_below_all():
    assert best_epoch([0.1, 0.3, 0.2, 0.3]) == 2
    assert best_epoch([math.nan, -5.0, math.nan]) == 2
    assert best_epoch([math.nan, math.nan]) == 1


def test_stop_after_patience_epochs_in_a_row_without_a_better_one():
    skills = [0.1, 0.3, 0.2, 0.3, 0.4, 0.3, 0.2, 0.1]
    assert [should_stop(skills[:n], patience=3) for n in range(1, 9)] == [False] * 7 + [True]
    assert [should_stop(skills[:n], patience=2) for n in range(1, 5)] == [False, False, False, True]
    assert not any(should_stop([0.1 * n for n in range(1, length)], patience=1) for length in range(2, 6))
