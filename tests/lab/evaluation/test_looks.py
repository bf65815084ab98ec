"""Planned looks share the 5 %; unplanned ones and what was left out are told."""

import pytest
from scipy import stats
from telling import advised, told

from equipoise.lab.evaluation import Summary, TaskMetric, levels, make_table, planned_looks
from equipoise.lab.evaluation.looks import level_of, look_notes
from equipoise.lab.reports import palette
from equipoise.lab.reports.page import render_values


@pytest.mark.parametrize(("seeds", "looks"), [(20, 3), (9, 3), (30, 5), (20, 2)])
def test_looks_are_at_equal_shares_and_spend_five_percent_together(seeds, looks):
    at = planned_looks(seeds, looks)
    assert len(at) == looks
    assert at[-1] == seeds
    shares = levels(at)
    assert sum(shares) == pytest.approx(0.05)
    assert list(shares) == sorted(shares)  # of O'Brien and Fleming's type: most at the end


def test_what_is_spent_is_lan_and_demets_function():
    spent = [2 - 2 * stats.norm.cdf(stats.norm.ppf(0.975) / t**0.5) for t in (7 / 20, 14 / 20, 1.0)]
    first, second, third = levels((7, 14, 20))
    assert [first, first + second, first + second + third] == pytest.approx(spent)


@pytest.mark.parametrize(("seeds", "looks"), [(5, 3), (20, 1), (20, 0)])
def test_looks_that_make_no_sense_are_refused(seeds, looks):
    with pytest.raises(ValueError, match=rf"got {looks} looks at {seeds} seeds"):
        planned_looks(seeds, looks)


def study(seeds, complete=True, **more):
    return {"seeds": list(range(seeds)), "methods": ["sum", "uw"], "complete": complete, **more}


def test_the_level_is_that_of_the_planned_look_and_nothing_in_between():
    plan = {"planned_looks": [7, 14, 20]}
    assert [level_of(study(n, **plan)) for n in (7, 14, 20)] == pytest.approx(levels((7, 14, 20)))
    assert level_of(study(9, **plan)) == level_of(study(14, complete=False, **plan)) == 0.0
    assert level_of(study(9)) == 0.05


def test_adjusted_p_values_are_in_units_of_the_level():
    metric = TaskMetric("size", "rmse", False, 0.0, 1.0)
    values = {
        "sum": {"size": {0: 0.40, 1: 0.42, 2: 0.41}},
        "near": {"size": {0: 0.391, 1: 0.413, 2: 0.404}},  # p = 0.014
    }
    words = {
        level: (one.verdict, one.p_adjusted)
        for level in (0.05, 0.02, 0.01, 0.0)
        for one in [make_table(values, [metric], {}, level=level).rows[1].scores["size"].to_sum]
    }
    assert [word for word, _ in words.values()] == ["better", "better", *["no significant difference"] * 2]
    assert words[0.02][1] == pytest.approx(words[0.05][1] * 2.5)
    assert words[0.0][1] == 1.0


@pytest.mark.parametrize(("level", "alone"), [(0.02, True), (0.01, False)])
def test_a_page_says_what_would_be_significant_alone_by_the_level_of_the_look(level, alone):
    metric = TaskMetric("size", "rmse", False, 0.0, 1.0)
    sizes = {"sum": (0.40, 0.42, 0.41), "near": (0.391, 0.413, 0.404), "far": (0.39, 0.43, 0.42)}  # near: p = 0.014
    found = {(name, "size", seed): value for name, of in sizes.items() for seed, value in enumerate(of)}
    summary = Summary.from_values(found, [metric], list(sizes), [0, 1, 2], title="Made", level=level)
    page = render_values(summary, [], palette.looks(tuple(sizes)))
    assert ("though alone it would be one" in page) == alone


def test_repeated_looks_are_counted_with_what_they_do():
    looks = [{"seeds": list(range(n)), "methods": ["sum"], "runs": n} for n in (3, 4, 5)]
    (note,) = look_notes(study(5, looks=looks))
    assert note.startswith("Look 3 at this study (3, 4 and 5 seeds).")
    assert "19 %" in note
    assert "3 looks at 20 seeds" in note
    assert look_notes(study(5, looks=looks[:1])) == []


def test_planned_looks_are_told_and_others_beside_them():
    plan = {"planned_looks": [7, 14, 20]}
    looks = [{"seeds": list(range(n)), "methods": ["sum"], "runs": n} for n in (7, 14)]
    (note,) = look_notes(study(14, looks=looks, **plan))
    assert note.startswith("Look 2 of 3 planned, at 7 seeds (0.092 %), 14 seeds")
    between, other = look_notes(
        study(9, looks=[*looks, {"seeds": list(range(9)), "methods": ["sum"], "runs": 9}], **plan)
    )
    assert "no difference is called significant" in between
    assert "[9]" in other


def test_what_was_left_out_stays_told_when_it_is_back():
    (note,) = look_notes(study(3, left_out={"methods": ["pcgrad"], "seeds": [2, 9]}))
    assert note.startswith(
        "Left out after runs were finished: method pcgrad and seeds 2 and 9 (seed 2 taken in again)."
    )


def test_a_look_repeated_at_its_number_of_seeds_is_told():
    plan = {"planned_looks": [7, 14, 20]}
    looks = [{"seeds": list(range(7)), "methods": list(names), "runs": 7} for names in ("ab", "abc", "abd")]
    _, again = look_notes(study(7, looks=looks, **plan))
    assert again.startswith("Planned looks at other methods or seeds than at first: 3 in place of 1 at 7 seeds.")


def test_a_planned_look_that_lacks_runs_says_so_and_that_nothing_is_called_significant():
    (note,) = look_notes(study(7, complete=False, planned_looks=[7, 14, 20]))
    assert "runs are missing" in note
    assert "between" not in note
    assert "no difference is called significant" in note


def near(level):
    metric = TaskMetric("size", "rmse", False, 0.0, 1.0)
    values = {
        "sum": {"size": {0: 0.40, 1: 0.42, 2: 0.41}},
        "near": {"size": {0: 0.391, 1: 0.413, 2: 0.404}},  # p = 0.014
    }
    table = make_table(values, [metric], {}, level=level)
    return told(table, [metric], 3), advised(table, [metric])


def test_nothing_is_significant_alone_that_is_not_below_the_level_of_the_look():
    assert "Taken alone" not in near(0.01)[0]  # one comparison: Holm's correction is not why


@pytest.mark.parametrize("level", [0.01, 0.0])
def test_at_a_planned_look_no_other_number_of_seeds_is_advised(level):
    assert "more seed" not in near(level)[1]
    assert "seeds would" not in near(level)[1]
