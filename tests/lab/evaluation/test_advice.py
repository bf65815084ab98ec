"""The advice is a value; the command line, Python and results from elsewhere each hear it in their own words."""

import pytest

from equipoise.lab.evaluation import TaskMetric, make_table
from equipoise.lab.evaluation.advice import advise
from equipoise.lab.evaluation.headline import headline_of

METRICS = [TaskMetric("size", "rmse", False, 0.0, 1.0), TaskMetric("kind", "accuracy", True, 1.0, 0.0)]
PLAIN = [0.40, 0.42, 0.41, 0.43, 0.40]
CHANCE = (0.0010, 0.0011, 0.0009, 0.0010, 0.0012)
NEARLY = (0.03, -0.02, 0.02, 0.01, 0.0)


def shifted(by, noise=CHANCE):
    return [value + by + chance for value, chance in zip(PLAIN, noise, strict=True)]


def advised(seeds, question="", runs="case", **methods):
    """The table and the advice where each method has (size, kind) by seed; the first so many seeds."""
    values = {
        name.replace("_", "-"): {
            metric.task: dict(enumerate(runs[:seeds])) for metric, runs in zip(METRICS, by_task, strict=True)
        }
        for name, by_task in methods.items()
    }
    table = make_table(values, METRICS, {}, question, seeds=seeds)
    return table, advise(table, METRICS, runs=runs)


SAME = (PLAIN, PLAIN)
GAINS = (shifted(-0.05), shifted(0.05))
# so close that even two seeds show a difference among five comparisons
SURE = ([v - 0.1 + c * 3e-6 for v, c in zip(PLAIN, (1, 4, 2, 3, 5), strict=True)], PLAIN)


def test_a_method_that_is_better_is_to_be_used_and_its_weights_tuned_first():
    _, advice = advised(5, sum=SAME, uw=GAINS)
    assert (advice.action, advice.method, advice.reason) == ("use", "uw", "tune weights first")


def test_no_difference_is_to_use_the_reference():
    _, advice = advised(5, sum=SAME, uw=(shifted(0.0, NEARLY), shifted(0.0, NEARLY)))
    assert (advice.action, advice.method, advice.reason) == ("use", "sum", "")


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("uw", [SURE, (shifted(0.0, NEARLY), shifted(0.0, NEARLY))])
def test_below_three_seeds_the_advice_is_more_seeds(seeds, uw):
    table, advice = advised(seeds, sum=SAME, uw=uw)
    assert (advice.action, advice.method, advice.seeds) == ("train seeds", "sum", 5)
    better = [one.verdict for _, _, one in table.compared].count("better")
    assert advice.candidate == ("uw" if better else "")
    headline = headline_of(table, METRICS, seeds)
    assert headline.startswith("With one seed" if seeds == 1 else "Over only 2 seeds, ")


def test_what_two_seeds_find_waits_for_a_third():
    table, advice = advised(2, sum=SAME, uw=SURE)
    assert "better" in [one.verdict for _, _, one in table.compared]
    assert advice.candidate == "uw"
    _, advice = advised(3, sum=SAME, uw=SURE)
    assert (advice.action, advice.method) == ("use", "uw")


def test_a_difference_that_rests_on_a_collapsed_run_is_to_be_inspected():
    plain = ([0.40, 0.41, 0.40, 0.42, 0.40], [0.5, 0.51, 0.5, 0.51, 0.1])
    mine = ([0.40, 0.41, 0.40, 0.42, 0.40], [0.9, 0.91, 0.9, 0.91, 0.52])
    _, advice = advised(5, sum=plain, uw=mine)
    assert (advice.action, advice.candidate, advice.method, advice.inspect) == ("inspect", "uw", "sum", (4,))
    assert "inspect seed 4" in str(advice).lower()


@pytest.mark.parametrize(
    ("voice", "words"),
    [
        ("python", "Train at least 3 seeds, better 5 (seeds=5), before choosing; until then use the plain sum."),
        (
            "command line",
            "Train at least 3 seeds, better 5 (--seeds 5), before choosing; until then use the plain sum.",
        ),
        ("page", "Train at least 3 seeds, better 5, before choosing; until then use the plain sum."),
    ],
)
def test_seeds_are_asked_for_as_the_reader_writes_them(voice, words):
    _, advice = advised(2, sum=SAME, uw=(shifted(0.0, NEARLY), shifted(0.0, NEARLY)))
    assert advice.text(voice) == words
    assert voice != "python" or str(advice) == words


def test_results_from_elsewhere_are_to_be_added_whoever_reads():
    _, advice = advised(2, runs="given", sum=SAME, uw=(shifted(0.0, NEARLY), shifted(0.0, NEARLY)))
    for voice in ("python", "command line", "page"):
        assert advice.text(voice) == (
            "Add results of at least 1 more seed, better 3, before choosing; until then use the plain sum."
        )
    _, advice = advised(5, runs="given", sum=SAME)
    assert str(advice) == "Add results of at least one other method to learn which to use."


@pytest.mark.parametrize(
    ("voice", "words"),
    [("python", "methods=['sum', 'uw']"), ("command line", "--methods sum,uw")],
)
def test_methods_too(voice, words):
    _, advice = advised(5, single_task=SAME, sum=SAME)
    assert advice.action == "train methods"
    assert words in advice.text(voice)


def test_a_question_counts_the_seeds_in_all_and_those_that_are_missing():
    _, advice = advised(5, "tuned", sum=(shifted(0.0, NEARLY), shifted(0.0, NEARLY)), tuned=SAME)
    assert advice.action == "train seeds"
    assert advice.seeds > advice.present == 5
    assert f"About {advice.seeds - 5} more seeds (seeds={advice.seeds}) would show" in str(advice)
    assert f"(--seeds {advice.seeds})" in advice.text("command line")


def test_a_loop_is_python_wherever_its_advice_is_read():
    _, advice = advised(2, runs="loop", sum=SAME, uw=SURE)
    assert advice.text("command line") == str(advice)
    assert "(seeds=5)" in str(advice)
