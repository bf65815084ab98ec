import json

import pytest
from report_reading import Page, write_report

from equipoise.lab.evaluation import Summary

pytestmark = pytest.mark.usefixtures("blank_images")


@pytest.fixture(scope="module")
def read(reported):
    return Summary.from_folder(reported.path), Page(reported.path / "report.html")


def test_the_diagram_shows_each_mean_rank_with_half_a_critical_difference_to_either_side(read):
    summary, page = read
    traces = page.figures["panels"]["ranks-0"]["data"]
    found = {trace["meta"]["method"]: trace for trace in traces}
    assert list(found) == [name for _, name in sorted(zip(summary.ranks.mean_ranks, summary.ranks.names, strict=True))]
    for name, rank in zip(summary.ranks.names, summary.ranks.mean_ranks, strict=True):
        assert found[name]["x"] == [pytest.approx(rank, rel=1e-5)]
        for side in ("array", "arrayminus"):
            half = pytest.approx(summary.ranks.critical_difference / 2, rel=1e-5)
            assert found[name]["error_x"][side] == [half]
        assert found[name]["meta"]["hollow"] == (not summary.ranks.differs)
    assert "Friedman's test" in page.words


def test_the_tables_over_all_tasks_hold_the_numbers_of_the_summary(read):
    summary, page = read
    for row in summary.rows:
        cells = [numbers for _, numbers in page.row("Over all tasks", row.method)]
        one = row.against
        told = [] if one is None else [one.delta_p, one.median_delta_m, one.wins, one.ratio, one.worst[1]]
        assert [value for numbers in cells[1:6] for value in numbers] == told
        assert [numbers[0] for numbers in cells[6:9]] == [row.skills.average, row.skills.worst[1], row.skills.score]
        cost = row.cost
        counts = [cost.backwards_per_step, cost.peak_memory_mb, cost.skipped_steps, cost.unsolved_steps]
        assert [numbers[0] for numbers in cells[9:]] == counts


def test_the_table_at_equal_wall_clock_holds_the_numbers_of_the_summary(read):
    summary, page = read
    assert len(summary.equal_time.rows) == len(summary.methods)
    for reached in summary.equal_time.rows:
        (_, epochs), *cells = page.row("At equal wall-clock", reached.method)
        assert epochs == [reached.epochs]
        assert [numbers[0] for _, numbers in cells] == [reached.values[task] for task in summary.tasks]


def test_what_to_know_of_the_data_stands_below_the_table(make):
    study = make()
    description = json.loads((study.path / "study.json").read_text())
    description["notes"] = ["Left out: target 'rare' has one label."]
    (study.path / "study.json").write_text(json.dumps(description))
    assert "Left out: target 'rare' has one label." in Page(write_report(study.path)).words


def test_an_unequal_study_is_stamped_below_its_table(make):
    study = make()
    description = json.loads((study.path / "study.json").read_text())
    description["budgets"] = {"sum": {"trials": 1}, "uw": {"trials": 20}}
    (study.path / "study.json").write_text(json.dumps(description))
    words = Page(write_report(study.path)).words
    stamp = "Unequal: search trials (sum 1, uw 20); backward passes of a run ("
    assert stamp in words
    assert words.index("Over 3 seeds") < words.index("Seconds per step") < words.index(stamp)
