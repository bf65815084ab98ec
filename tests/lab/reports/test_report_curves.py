import pytest
from made_study import METHODS, TASKS
from report_reading import Page

from equipoise.lab.evaluation import FIT_RULE, judge_fit
from equipoise.lab.reports import write_report


@pytest.fixture(scope="module")
def page(study):
    return Page(write_report(study.path))


def test_every_run_is_judged_by_the_rule_that_the_page_states(study, page):
    assert FIT_RULE in page.words
    for method in ("single-task", *METHODS):
        for cell, task in zip(page.row("Over- and under-fitting", method), TASKS, strict=True):
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
    ("figure", "quantity", "keys"),
    [
        (
            "magnitude_similarity",
            "magnitude_similarity",
            ("rating|recommend", "rating|department", "recommend|department"),
        ),
        ("condition_number", "log10_condition_number", ("all",)),
        ("cosines", "cosine", ("rating|recommend", "rating|department", "recommend|department")),
        ("part_cosines", "cosine in encoder.low", ("rating|recommend", "rating|department", "recommend|department")),
        ("gradient_norms", "gradient_norm", tuple(TASKS)),
        ("weights", "weight", tuple(TASKS)),
    ],
)
def test_curves_over_epochs_are_those_of_history_csv(study, page, figure, quantity, keys):
    for place, key in enumerate(keys):
        data = page.figures["panels"][f"{figure}-{place}"]["data"]
        drawn = {f"{v:.6g}" for trace in data for v in trace["y"] if v is not None}
        written = {f"{float(row[-1]):.6g}" for row in study.history if row[4:6] == [key, quantity]}
        assert written
        assert written <= drawn


def test_too_few_epochs_are_not_judged(make):
    page = Page(write_report(make(epochs=2).path))
    assert page.row("Over- and under-fitting", "sum")[0][0] == "not judged"
