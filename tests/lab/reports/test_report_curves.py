import pytest
from figures_of_files import (
    check_chosen_epochs,
    check_costs,
    check_curves,
    check_differences,
    check_tradeoff,
)
from made_study import METHODS, TASKS
from report_reading import Page, write_report

from equipoise.lab.evaluation import FIT_RULE, RUN_RULE, StudyResults, judge_fit, run_fits
from equipoise.lab.reports.chart import Chart, Panel, Series
from equipoise.lab.reports.interactive import specs
from equipoise.lab.reports.palette import looks

pytestmark = pytest.mark.usefixtures("blank_images")


@pytest.fixture(scope="module")
def page(reported):
    return Page(reported.path / "report.html")


def test_every_run_is_judged_by_the_rule_that_the_page_states(study, page):
    assert FIT_RULE in page.words
    assert RUN_RULE in page.words
    runs = run_fits(StudyResults.from_folder(study.path)).runs
    for method in ("single-task", *METHODS):
        *cells, of_runs = page.row("Over- and under-fitting", method)
        whole = [run.fit for run in runs if run.method == method]
        for fit in ("over-fitting", "under-fitting", "neither"):
            assert (f"{fit} in {whole.count(fit)} of {len(whole)}" in of_runs[0]) == (fit in whole)
        for cell, task in zip(cells, TASKS, strict=True):
            judged = []
            for seed in "012":
                train, validation = (
                    {
                        int(r[2]): float(r[6])
                        for r in study.history
                        if r[:2] + r[3:6] == [method, seed, split, task, "loss"]
                    }
                    for split in ("train", "validation")
                )
                judged.append(judge_fit(train, validation, 8))
            for fit in ("over-fitting", "under-fitting", "neither"):
                assert (f"{fit} in {judged.count(fit)} of 3" in cell[0]) == (fit in judged)


@pytest.mark.parametrize(
    "check",
    [check_curves, check_chosen_epochs, check_tradeoff, check_differences, check_costs],
    ids=lambda check: check.__name__.removeprefix("check_"),
)
def test_figures_show_the_numbers_of_the_files(study, page, check):
    check(study.path, page)


def test_zero_lies_within_every_axis_of_differences_with_both_ends_of_each_interval(page):
    panels = [panel for name, panel in page.figures["panels"].items() if name.startswith("differences")]
    for panel in panels:
        low, high = panel["layout"]["xaxis"]["range"]
        for mark in panel["data"]:
            (mean,), (left,), (right,) = mark["x"], mark["error_x"]["arrayminus"], mark["error_x"]["array"]
            assert low < min(0.0, mean - left)
            assert max(0.0, mean + right) < high


def test_differences_of_exactly_zero_are_in_the_middle():
    none = Series("interval", "uw", (0.0,), (0.0,), low=(0.0,), high=(0.0,), hover=("",))
    (spec,) = specs(Chart("differences", "", "", (Panel("", "", "", (none,), zero="x"),)), looks(("uw",)))
    low, high = spec["layout"]["xaxis"]["range"]
    assert low == -high < 0.0


def test_too_few_epochs_are_not_judged(make):
    page = Page(write_report(make(epochs=2).path))
    assert page.row("Over- and under-fitting", "sum")[0][0] == "not judged"
