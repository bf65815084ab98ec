"""Each question has its own family of comparisons, and ends in yes, no, not distinguishable or not known."""

import numpy as np
import pytest
from telling import advised, told

from equipoise.lab.arms import parse_arm
from equipoise.lab.evaluation import TaskMetric, make_table, pairs_of

METRICS = [TaskMetric("size", "rmse", False, 0.0, 1.0), TaskMetric("kind", "accuracy", True, 1.0, 0.0)]
PLAIN = [0.40, 0.42, 0.41, 0.43, 0.40]
LUCK = (0.0010, 0.0011, 0.0009, 0.0010, 0.0012)


def shifted(by, values=PLAIN):
    return [value + by + luck for value, luck in zip(values, LUCK, strict=True)]


def noisy(values=PLAIN):
    return [value + luck for value, luck in zip(values, (0.03, -0.02, 0.02, -0.03, 0.0), strict=True)]


def ask(question, **methods):
    """The answer where each method has (size, kind) by seed."""
    values = {
        name.replace("_", "-"): {
            metric.task: dict(enumerate(runs)) for metric, runs in zip(METRICS, by_task, strict=True)
        }
        for name, by_task in methods.items()
    }
    table = make_table(values, METRICS, {}, question)
    return table, told(table, METRICS, 5), advised(table, METRICS)


SAME = (PLAIN, PLAIN)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("sharing", {("sum", "single-task")}),
        ("tuned", {("sum", "tuned"), ("uw", "tuned"), ("frozen-uw", "tuned")}),
        ("freeze", {("frozen-uw", "uw")}),
        (
            "",
            {
                *((name, "sum") for name in ("uw", "frozen-uw", "tuned")),
                *((name, "single-task") for name in ("sum", "uw", "frozen-uw", "tuned")),
                *((name, "tuned") for name in ("uw", "frozen-uw")),
                ("frozen-uw", "uw"),
            },
        ),
    ],
)
def test_the_family_of_each_question(question, expected):
    names = ["single-task", "sum", "uw", "frozen-uw", "tuned"]
    pairs = pairs_of([*map(parse_arm, names)], question)
    assert {(str(arm), str(other)) for arm, other in pairs} == expected
    assert len(pairs) == len(expected)
    luck = np.random.default_rng(0).normal(1.0, 0.1, (len(names), 2, 5)).tolist()
    table, *_ = ask(question, **{name.replace("-", "_"): runs for name, runs in zip(names, luck, strict=True)})
    ranks = 1 if question == "" else 0
    assert table.tested == 2 * len(expected) + ranks
    assert (table.ranks is not None) == bool(ranks)


def test_a_task_with_one_pair_of_runs_leaves_the_others_their_answer():
    """Nothing is known only where no task has two."""
    plain, alone = (shifted(-0.05), PLAIN[:1]), (PLAIN, [0.5])
    _, headline, _ = ask("sharing", single_task=alone, sum=plain)
    assert (
        "Yes, where a difference is significant: the plain sum is significantly better on size, no verdict on kind"
        in headline
    )
    _, headline, _ = ask("sharing", single_task=([0.4], [0.5]), sum=plain)
    assert "Not known: with one seed a difference may be chance" in headline


@pytest.mark.parametrize(
    ("sum_", "answer"),
    [
        (
            (shifted(-0.05), shifted(0.05)),
            "Yes, where a difference is significant: the plain sum is significantly better on size and kind",
        ),
        (
            (shifted(0.05), noisy()),
            "No, where a difference is significant: the plain sum is significantly worse on size, "
            "no significant difference on kind",
        ),
        (
            (shifted(0.05), shifted(0.05)),
            "It helps on some tasks and harms others: the plain sum is significantly better on kind, "
            "significantly worse",
        ),
        ((noisy(), noisy()), "No significant difference to single-task networks on any task"),
    ],
)
def test_does_sharing_help(sum_, answer):
    _, headline, _ = ask("sharing", single_task=SAME, sum=sum_)
    assert f"Does sharing one network help? {answer}" in headline
    assert "Over 5 seeds" in headline


@pytest.mark.parametrize(
    ("uw", "answer"),
    [
        (
            (noisy(), shifted(0.05)),
            "Yes: uw is significantly better than tuned weights on kind (accuracy 0.4630 against 0.4120)",
        ),
        (
            (shifted(0.05), noisy()),
            "No: uw is significantly worse than tuned weights on size (rmse 0.4630 against 0.4120)",
        ),
        (
            (noisy(), noisy()),
            "No significant difference: none of the 2 is significantly different from tuned weights on any task",
        ),
    ],
)
def test_does_any_balancing_beat_tuned_weights(uw, answer):
    methods = {"sum": (noisy(), noisy()), "uw": uw, "tuned": SAME}
    _, headline, advice = ask("tuned", **methods)
    assert f"Does any method beat tuned fixed weights? {answer}" in headline
    if "Not" in answer:
        assert "Nearest to a finding is" in advice
    _, in_passing, _ = ask("", **methods)
    assert "Does any method beat tuned fixed weights? " in in_passing


@pytest.mark.parametrize(
    ("frozen", "answer"),
    [
        (
            (noisy(), noisy()),
            "uw: no significant difference on any task; its last weights, fixed from the start, do as well",
        ),
        (
            (shifted(0.05), noisy()),
            "uw: how it got there matters; fixed at its last weights: significantly worse on size",
        ),
        (
            (shifted(-0.05), noisy()),
            "uw: its last weights serve better from the start; fixed at its last weights: significantly b",
        ),
        (
            (shifted(0.05), shifted(0.05)),
            "uw: it depends on the task; fixed at its last weights: significantly better on kind",
        ),
    ],
)
def test_does_the_schedule_matter(frozen, answer):
    _, headline, _ = ask("freeze", sum=SAME, uw=SAME, frozen_uw=frozen)
    assert f"Does the schedule of the weights matter, or only where it ends? {answer}" in headline


@pytest.mark.parametrize(
    ("rows", "answer"),
    [
        (
            {"kind=focal": (noisy(), shifted(0.05)), "size=l1": (shifted(0.05), noisy())},
            "Yes: kind=focal is significantly better than the case's own on kind (accuracy 0.4630 against 0.4120); "
            "size=l1 is significantly worse than the case's own on size (rmse 0.4630 against 0.4120). "
            "2 of 4 comparisons show no significant difference.",
        ),
        ({"size=l1": (shifted(0.05), noisy())}, "No: size=l1 is significantly worse than the case's own on size"),
        (
            {"kind=focal": (shifted(0.05), shifted(0.05))},
            "On some tasks, and it loses on others: kind=focal is significantly better",
        ),
        ({"size=l1": (noisy(), shifted(0.05))}, "Only on tasks whose loss it does not change, which is a matter of"),
        ({"size=l1": (shifted(0.05), shifted(0.05))}, "Only on tasks whose loss it does not change, which is a matter"),
        (
            {"size=l1+kind=focal": (noisy(), shifted(0.05))},
            "Yes: size=l1+kind=focal is significantly better than the case's own on",
        ),
        (
            {"size=l1": (noisy(), noisy())},
            "No significant difference: size=l1 is not significantly different from the case's own on any",
        ),
        (
            {"size=l1": (noisy(), noisy()), "kind=focal": (noisy(), noisy())},
            "No significant difference: none of the 2 is significantly different from the case's own on any task",
        ),
    ],
)
def test_does_another_loss_do_better(rows, answer):
    table, headline, _ = ask("losses", single_task=SAME, sum=SAME, uw=SAME, **rows)
    assert f"Does another loss do better than the case's own? {answer}" in headline
    assert table.tested == 2 * len(rows)


def test_another_loss_is_no_balancing_that_beats_tuned_weights():
    better = (shifted(-0.05), shifted(0.05))
    _, headline, _ = ask("tuned", **{"sum": SAME, "size=l1": better, "tuned": SAME})
    assert (
        "fixed weights? No significant difference: sum is not significantly different from tuned weights on any task."
        in headline
    )
    assert "With another loss: size=l1 is significantly better than tuned weights on size" in headline
    _, headline, _ = ask("", **{"sum": (noisy(), noisy()), "size=l1": better, "tuned": SAME})
    assert "Not known: no method was trained. With another loss: size=l1 is significantly better than tuned" in headline
    _, headline, _ = ask("", **{"sum": SAME, "uw": (noisy(), noisy()), "size=l1": (noisy(), noisy())})
    assert "none of the 2 methods differs significantly from the plain sum" in headline


@pytest.mark.parametrize("question", ["sharing", "tuned", "freeze", "losses"])
def test_one_seed_answers_nothing(question):
    _, headline, _ = ask(
        question, single_task=([0.4], [0.4]), sum=([0.1], [0.9]), uw=([0.1], [0.9]), frozen_uw=([0.3], [0.2]),
        tuned=([0.4], [0.4]), **{"size=l1": ([0.1], [0.9])},
    )  # fmt: skip
    assert "Not known: with one seed a difference may be chance" in headline


def test_what_was_not_trained_is_not_known():
    assert "Not known: no seed has a finished run of tuned and another" in ask("tuned", sum=SAME)[1]
    assert "Not known: no single-task networks were trained" in ask("sharing", sum=SAME)[1]
    assert "Not known: no seed has a finished run of the plain sum with the case's" in ask("losses", sum=SAME)[1]
    assert "Not known: no frozen weights were trained" in ask("freeze", sum=SAME, uw=SAME)[1]


def test_a_balancing_that_beats_the_sum_but_not_tuned_weights_is_not_recommended_without_saying_so():
    better = (shifted(-0.05), shifted(0.05))
    _, _, advice = ask("", sum=SAME, uw=better, tuned=(noisy(better[0]), noisy(better[1])))
    assert advice.startswith("uw does not beat tuned fixed weights: prefer those")
    _, _, advice = ask("", sum=SAME, uw=better, tuned=(noisy(), noisy()))
    assert advice.startswith("Use uw, which beats tuned fixed weights, too.")
    _, _, advice = ask("", sum=SAME, uw=better)
    assert advice.startswith("Use uw, but first tune the plain sum's weights with the same effort.")


@pytest.mark.parametrize(
    ("methods", "answer"),
    [
        ({"sum": (shifted(-0.05), shifted(0.05)), "uw": SAME}, "No: sum is significantly better than tuned weights"),
        (
            {"sum": SAME, "uw": (shifted(-0.05), shifted(-0.05))},
            "On some tasks, and it loses on others: uw is significantly better",
        ),
        ({"sum": SAME, "uw": (shifted(-0.05), noisy())}, "Yes: uw is significantly better than tuned weights on size"),
    ],
)
def test_yes_is_of_a_balancing_that_loses_nowhere(methods, answer):
    _, headline, _ = ask("tuned", **methods, tuned=SAME)
    assert f"Does any method beat tuned fixed weights? {answer}" in headline


def test_what_gains_and_loses_against_tuned_weights_is_not_said_to_beat_them():
    gains = (shifted(-0.05), shifted(0.05))
    tuned = ([value + 0.02 for value in PLAIN], [value + 0.1 for value in PLAIN])
    _, _, advice = ask("", sum=SAME, uw=gains, tuned=tuned)
    assert advice.startswith("Use uw or tuned fixed weights, each better on one task")


def test_where_equal_weights_were_the_best_of_the_search_tuned_weights_do_not_widen_the_family():
    methods = {
        "single-task": (noisy(), noisy()),
        "sum": SAME,
        "uw": (shifted(-0.05), noisy()),
        "dwa": (noisy(), noisy()),
    }
    without, _, _ = ask("", **methods)
    table, headline, advice = ask("", **methods, tuned=SAME)
    assert (table.tested, table.ranks) == (without.tested, without.ranks)
    assert [row.scores for row in table.rows[:-1]] == [row.scores for row in without.rows]
    assert not any(score.to for score in table.rows[-1].scores.values())
    assert "Equal weights were the best of the search: the results of the plain sum are theirs." in headline
    assert "as the search for fixed weights found none better than equal ones." in advice
    other, _, _ = ask("", **methods, tuned=(noisy(), noisy()))
    assert other.tested > without.tested
