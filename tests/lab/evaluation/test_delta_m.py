import math

import pytest

from equipoise.lab.evaluation.scores import delta_m, mean_rank, median_delta_m, relative_changes


def test_lower_is_better_whatever_the_direction_of_the_metric():
    assert delta_m([0.88], [0.80], [True]) == pytest.approx(-10.0)  # accuracy up by a tenth
    assert delta_m([0.88], [0.80], [False]) == pytest.approx(10.0)  # error up by a tenth


def test_each_task_counts_relative_to_its_own_baseline():
    # +50 % of an error of 2, -10 % of an accuracy of 0.5 (both worse): (50 + 10) / 2
    assert delta_m([3.0, 0.45], [2.0, 0.5], [False, True]) == pytest.approx(30.0)


def test_the_baseline_itself_has_zero():
    assert delta_m([0.3, 7.0], [0.3, 7.0], [True, False]) == 0.0


@pytest.mark.parametrize("baseline", [0.0, -0.2])
def test_a_baseline_that_is_not_positive_has_no_delta_m(baseline):
    assert math.isnan(delta_m([0.1, 0.5], [baseline, 0.4], [True, True]))


def test_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="equally long, got 1, 2 and 2"):
        delta_m([0.1], [0.1, 0.2], [True, True])


def test_mean_rank_by_hand():
    # accuracy ranks 1, 2.5, 2.5; error ranks 2, 1, 3
    ranks = mean_rank([[0.9, 0.5], [0.8, 0.4], [0.8, 0.6]], [True, False])
    assert ranks == [1.5, 1.75, 2.75]


def test_what_is_not_a_number_ranks_last():
    assert mean_rank([[math.nan], [0.1], [0.2]], [True]) == [3.0, 2.0, 1.0]
    assert mean_rank([[math.nan], [0.1], [0.2]], [False]) == [3.0, 1.0, 2.0]


def test_variants_by_hand():
    # changes: +50 % and +25 % of errors, +10 % of an accuracy that fell by a tenth
    method, baseline, higher = [3.0, 5.0, 0.45], [2.0, 4.0, 0.5], [False, False, True]
    assert relative_changes(method, baseline, higher) == pytest.approx([50.0, 25.0, 10.0])
    assert median_delta_m(method, baseline, higher) == pytest.approx(25.0)
    assert delta_m(method, baseline, higher) == pytest.approx(85 / 3)


def test_no_variant_has_a_value_where_a_baseline_is_not_positive():
    assert math.isnan(median_delta_m([0.1, 0.5], [0.0, 0.4], [True, True]))
    assert all(math.isnan(change) for change in relative_changes([0.1, 0.5], [-1.0, 0.4], [True, True]))
