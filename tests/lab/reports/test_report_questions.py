"""Comparisons with tuned and frozen weights on the page, with the numbers of runs.csv."""

import csv
import json
from statistics import fmean

import pytest
from made_study import TASKS, make_study
from report_reading import Page, write_report

pytestmark = pytest.mark.usefixtures("blank_images")

METHODS = ("sum", "uw", "frozen-uw", "tuned")
TUNED, FROZEN = "Against tuned weights", "Against the method whose last weights these are"
PAIRS = {TUNED: {"uw": "tuned", "frozen-uw": "tuned"}, FROZEN: {"frozen-uw": "uw"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("study"), methods=METHODS).path


def page_of(folder, question):
    study = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps({**study, "question": question}))
    return Page(write_report(folder))


def difference(folder, method, other, task):
    with (folder / "runs.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if (row["split"], row["task"]) == ("test", task)]
    metric = TASKS[task][0]
    value = {(r["method"], r["seed"]): float(r["value"]) for r in rows if r["metric"] == metric}
    return fmean(value[method, seed] - value[other, seed] for seed in ("0", "1", "2"))


@pytest.mark.parametrize(
    ("question", "shown"),
    [
        ("", {"Against single-task networks", TUNED, FROZEN}),
        ("sharing", {"Against single-task networks"}),
        ("tuned", {TUNED}),
        ("freeze", {FROZEN}),
    ],
)
def test_a_page_shows_the_comparisons_of_its_question_with_their_numbers(folder, question, shown):
    page = page_of(folder, question)
    assert {title for title in page.tables if title.startswith("Against")} == shown
    for title in shown & set(PAIRS):
        for method, other in PAIRS[title].items():
            for cell, task in zip(page.row(title, method), TASKS, strict=True):
                assert cell[1][0] == pytest.approx(difference(folder, method, other, task), abs=1e-9)
                assert any(word in cell[0] for word in ("better", "worse", "no significant difference"))
    assert len(page.row("Results", "uw")) == (6 if question == "" else 3) + 3  # Δm, rank and time stay
