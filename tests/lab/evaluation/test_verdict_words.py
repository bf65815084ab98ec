"""What a study says in words, for the studies people have: few seeds, ties, gaps, crashes, both directions."""

import pytest
import torch
from telling import advised, told

from equipoise.lab.evaluation import MethodCost, TaskMetric, make_table, seeds_to_show

ERROR, ACCURACY = TaskMetric("size", "rmse", False, 0.0, 1.0), TaskMetric("kind", "accuracy", True, 1.0, 0.0)
PLAIN = [0.40, 0.42, 0.41, 0.43, 0.40]
GAINED = [a + d for a, d in zip(PLAIN, (0.050, 0.051, 0.052, 0.049, 0.050), strict=True)]
NOISY = [a + d for a, d in zip(PLAIN, (0.03, -0.02, 0.02, 0.01, 0.0), strict=True)]


def table_of(metrics, costs=None, **values):
    """From the runs of each task; None is a run that is missing or not finite."""
    found = {
        name.replace("_", "-"): {
            metric.task: {k: v for k, v in enumerate(runs) if v is not None}
            for metric, runs in zip(metrics, of_tasks, strict=True)
        }
        for name, of_tasks in values.items()
    }
    return make_table(found, metrics, costs or {})


def decided(metric, other="sum", **values):
    """The verdict on ``mine`` against another on one task; None where they are not compared."""
    table = table_of([metric], **{name: [runs] for name, runs in values.items()})
    (row,) = (row for row in table.rows if row.method == "mine")
    comparison = row.scores[metric.task].to.get(other)
    return comparison and comparison.verdict


def say_of(metrics, seeds, costs=None, **values):
    """Headline and advice, each with the sentences below the table."""
    table = table_of(metrics, costs, **values)
    return told(table, metrics, seeds), advised(table, metrics)


def say(metric, seeds, costs=None, **values):
    """The same for one task."""
    return say_of([metric], seeds, costs, **{name: [runs] for name, runs in values.items()})


@pytest.mark.parametrize(("metric", "word"), [(ACCURACY, "better"), (ERROR, "worse")])
def test_the_direction_of_the_metric_decides_the_verdict_and_its_word(metric, word):
    assert decided(metric, sum=PLAIN, mine=GAINED) == word
    assert decided(metric, sum=GAINED, mine=PLAIN) == {"better": "worse", "worse": "better"}[word]
    headline, _ = say(metric, 5, sum=PLAIN, mine=GAINED)
    assert f"mine is significantly {word} than the plain sum on {metric.task}" in headline


@pytest.mark.parametrize(("metric", "word"), [(ACCURACY, "better"), (ERROR, "worse")])
def test_sharing_too(metric, word):
    alike = TaskMetric("colour", "accuracy", True, 1.0, 0.0)
    headline, advice = say_of([metric, alike], 5, single_task=[PLAIN, PLAIN], sum=[GAINED, NOISY])
    assert f"the plain sum is significantly {word} on {metric.task}, no significant difference on colour" in headline
    assert ("train it alone" in advice) == (word == "worse")


@pytest.mark.parametrize("metric", [ACCURACY, ERROR])
def test_one_task_shares_nothing(metric):
    for methods in ({"single_task": PLAIN}, {}):
        headline, advice = say(metric, 5, **methods, sum=GAINED, mine=NOISY)
        assert "haring" not in headline
        assert "alone" not in advice


def test_tasks_with_the_same_verdict_are_not_listed():
    for count in (3, 4):
        metrics = [TaskMetric(task, "accuracy", True, 1.0, 0.0) for task in "abcd"[:count]]
        same, noisy = ({metric.task: dict(enumerate(runs)) for metric in metrics} for runs in (PLAIN, NOISY))
        table = make_table({"single-task": same, "sum": noisy}, metrics, {})
        assert "No significant difference to single-task networks on any task; Δm " in told(table, metrics, 5)


def test_one_seed_says_nothing_however_large_the_difference():
    one = [[0.1], [0.1]], [[0.2], [0.2]], [[0.9], [0.9]]
    headline, advice = say_of([ACCURACY, ERROR], 1, **dict(zip(("single_task", "sum", "mine"), one, strict=True)))
    assert headline.startswith("With one seed no difference to the plain sum can be tested")
    assert "Does sharing one network help? Not known: with one seed a difference may be chance" in headline
    for words in (headline, advice):
        assert "is better than" not in words
        assert "better on" not in words
        assert "more seed" not in words


def test_two_seeds_may_find_something_but_count_no_seeds_to_settle():
    headline, advice = say(ACCURACY, 2, sum=PLAIN[:2], mine=NOISY[:2])
    assert headline.startswith("Over only 2 seeds, mine does not differ significantly")
    assert "Two seeds hardly show how much runs scatter" in advice
    assert "about" not in advice
    assert decided(ACCURACY, sum=[0.1, 0.2], mine=[0.9, 1.00001]) == "better"


def test_three_seeds_count_the_seeds_to_settle():
    _, advice = say(ACCURACY, 3, sum=PLAIN[:3], mine=NOISY[:3])
    # differences .03 -.02 .02: mean .01, sd .02646
    assert f"about {seeds_to_show(0.01 / 0.0264575) - 3} more seeds would show" in advice


@pytest.mark.parametrize(("trivial", "spread", "wide"), [(1.0, 0.0082, True), (1.0, 0.0079, False), (9.0, 0.07, False)])
def test_an_interval_is_wide_from_two_hundredths_of_the_way_to_perfect_on(trivial, spread, wide):
    """Half of it is t(0.975, 2) s / sqrt(3) = 2.484 s for three seeds: 0.0204, 0.0196 and 0.174 of 9."""
    noisy = [a + d for a, d in zip(PLAIN, (-spread, 0.0, spread), strict=False)]
    _, advice = say(TaskMetric("size", "rmse", False, 0.0, trivial), 3, sum=PLAIN[:3], noisy=noisy)
    assert ("The intervals are wide" in advice) == wide


def test_ties_are_not_distinguishable_and_no_seeds_would_tell_them_apart():
    assert decided(ACCURACY, sum=PLAIN[:3], mine=PLAIN[:3]) == "no significant difference"
    _, advice = say(ACCURACY, 3, sum=PLAIN[:3], same=PLAIN[:3])
    assert advice == "Use the plain sum: nothing here is significantly better."


def test_equal_differences_claim_nothing():
    assert decided(ACCURACY, sum=[0.1, 0.2, 0.3], mine=[0.2, 0.3, 0.4]) == "no significant difference"
    _, advice = say(ACCURACY, 3, sum=[0.1, 0.2, 0.3], shifted=[0.2, 0.3, 0.4])
    assert "more seed" not in advice


def test_nor_do_differences_of_metrics_in_single_precision_that_agree_but_for_its_rounding():
    numbers = torch.tensor([0.9312, 0.9417])
    shifted = numbers + torch.tensor([0.0028571, 0.0028572])
    assert len(set((shifted.double() - numbers.double()).tolist())) == 2
    assert decided(ACCURACY, sum=numbers.tolist(), mine=shifted.tolist()) == "no significant difference"


def test_how_many_more_seeds_would_settle_it():
    _, advice = say(ACCURACY, 5, sum=PLAIN, noisy=NOISY)
    # differences .03 -.02 .02 .01 0: mean .008, sd .01924, effect .4159; one comparison
    more = seeds_to_show(0.008 / 0.0192354) - 5
    assert f"Nearest to a finding is noisy on kind (accuracy +0.0080): about {more} more seeds would show" in advice
    assert advice.endswith("makes chance look like a finding.")


def test_a_larger_family_asks_for_more_seeds_and_what_is_found_leaves_it():
    other = [a + 0.0001 * d for a, d in zip(PLAIN, (1, -2, 1, 2, -2), strict=True)]
    _, advice = say(ACCURACY, 5, sum=PLAIN, noisy=NOISY, other=other)
    # three tests: two comparisons and Friedman's
    assert f"about {seeds_to_show(0.008 / 0.0192354, 0.05 / 3) - 5} more seeds" in advice
    _, advice = say(ACCURACY, 5, sum=PLAIN, noisy=NOISY, found=GAINED)
    # of the three, found and Friedman's test are settled
    assert f"about {seeds_to_show(0.008 / 0.0192354) - 5} more seeds" in advice


def test_what_no_number_of_seeds_would_show_is_called_equal():
    centred = [a + d for a, d in zip(PLAIN, (0.03, -0.03, 0.02, -0.02, 0.0), strict=True)]
    _, advice = say(ACCURACY, 5, sum=PLAIN, centred=centred)
    assert "not even 1,000 seeds would show a difference of this size" in advice


def test_missing_runs_are_counted_and_crashed_methods_are_not_recommended():
    gone = [*GAINED[:3], None, None]
    assert decided(ACCURACY, sum=PLAIN, mine=gone) == "no verdict"
    assert decided(ACCURACY, sum=PLAIN, mine=[None] * 5) is None
    headline, advice = say(ACCURACY, 5, sum=PLAIN, gone=gone)
    assert headline.startswith("Over 3 of 5 seeds, no verdict on any method:")
    assert "Use gone" not in advice
    headline, advice = say(ACCURACY, 5, sum=PLAIN, crashed=[None] * 5)
    assert "No method is compared with the plain sum: no seed has a finished run of both." in headline


def test_a_crashed_reference_compares_nothing():
    plain, gone, gained = ([runs] * 2 for runs in (PLAIN[:3], [None] * 3, GAINED[:3]))
    headline, _ = say_of([ACCURACY, ERROR], 3, single_task=plain, sum=gone, mine=gained)
    assert "No method is compared with the plain sum" in headline
    assert "Does sharing one network help? Not known: no seed has a finished run" in headline


def test_ranks_are_told_only_where_friedman_finds_a_difference():
    order = [[0.1 * place + 0.003 * ((7 * seed * place) % 5) for seed in range(10)] for place in range(4)]
    headline, _ = say(ACCURACY, 10, sum=order[0], a=order[1], b=order[2], c=order[3])
    # CD of 4 methods over 10 seeds is 1.48: neighbours are one rank apart
    assert "By rank over the seeds c is ahead of a and sum; b is ahead of sum." in headline
    headline, _ = say(ACCURACY, 5, sum=PLAIN, a=NOISY, b=NOISY)
    assert "By rank" not in headline


def test_the_price_of_a_choice_is_told():
    costs = {
        name: MethodCost({0: seconds}, 1.0, 1.0, 1.0, 10.0, 0, 0) for name, seconds in (("sum", 0.1), ("mine", 0.25))
    }
    _, advice = say(ACCURACY, 5, costs=costs, sum=PLAIN, mine=GAINED)
    assert advice.startswith("Use mine")
    assert "at 2.50 times the plain sum's time per step" in advice


def test_one_task_has_no_weights_to_tune():
    _, advice = say(ACCURACY, 5, sum=PLAIN, mine=GAINED)
    assert advice.startswith("Use mine")
    assert "weights" not in advice
    assert "the learning rate of both" in advice
    _, advice = say_of([ACCURACY, ERROR], 5, sum=[PLAIN, PLAIN], mine=[GAINED, PLAIN])
    assert "tune the plain sum's weights" in advice
    _, advice = say(ACCURACY, 5, sum=PLAIN)
    assert advice == "Train another loss, too (question='losses'), to learn which to use."
