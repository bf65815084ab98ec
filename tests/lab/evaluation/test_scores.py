import math

import pytest

from equipoise.lab.evaluation import aggregated_score, average_task_performance, skills, worst_task


def test_skill_is_0_for_a_constant_and_1_for_perfect_whatever_the_direction():
    assert skills([0.5, 1.1], trivial=[0.5, 1.1], perfect=[1.0, 0.0]) == [0.0, 0.0]
    assert skills([1.0, 0.0], trivial=[0.5, 1.1], perfect=[1.0, 0.0]) == [1.0, 1.0]
    # 0.6 is a fifth of the way from 0.5 to 1, 1.65 is half as far again as from 1.1 to 0
    assert skills([0.6, 1.65], trivial=[0.5, 1.1], perfect=[1.0, 0.0]) == pytest.approx([0.2, -0.5])


def test_where_a_constant_is_perfect_there_is_no_skill():
    assert math.isnan(skills([1.0], trivial=[1.0], perfect=[1.0])[0])


def test_numbers_over_tasks_by_hand():
    assert average_task_performance([0.2, 0.8, -0.1]) == pytest.approx(0.3)
    assert worst_task([0.2, 0.8, -0.1], ["a", "b", "c"]) == ("c", -0.1)
    assert aggregated_score([0.2, 0.8]) == pytest.approx(0.4)  # sqrt(0.16)
    assert aggregated_score([0.125, 1.0, 1.0]) == pytest.approx(0.5)
    assert aggregated_score([0.9, -0.4, -0.4]) == 0.0  # not the product of two negative ones


def test_what_is_not_a_number_is_not_hidden():
    name, skill = worst_task([0.2, math.nan], ["a", "b"])
    assert name == "b"
    assert math.isnan(skill)
    assert math.isnan(average_task_performance([0.2, math.nan]))
    assert math.isnan(aggregated_score([0.2, math.nan]))


def test_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="equally long and not empty, got 1, 2 and 1"):
        skills([0.1], [0.1, 0.2], [1.0])
    with pytest.raises(ValueError, match="equally long and not empty, got 0 and 0"):
        worst_task([], [])
