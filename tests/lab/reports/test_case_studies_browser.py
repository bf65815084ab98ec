"""A small real study of every case: its page in a real browser, every plot with the numbers of the study's files."""

import csv
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from plot_numbers import require_numbers_of_the_files
from report_reading import Page
from torch.utils.data import Subset

from equipoise.lab.cases import CASES, Case, TableCase, Target, captions, flickr8k, scenes
from equipoise.lab.data.scenes import render_scenes, write_scenes
from equipoise.lab.reports import write_report
from equipoise.lab.studies import Event, Study, make_plan

pytestmark = pytest.mark.slow

FEW = 512  # samples that are trained on: the page is as large with poor networks
LARGEST = 6_000_000  # bytes of a page without its pictures


def table(folder):
    """A number, levels and sets of labels, a fifth of them missing."""
    kinds = ("price:regression", "size:ordinal:low,mid,high", "tags:multilabel")
    rows = [("text", "age", "colour", "price", "size", "tags")]
    for i in range(400):
        labels = (str(1000 + 3 * i), ("low", "mid", "high")[i % 3], ("x;y", "y", ";")[i % 3])
        rows.append((f"words of {i}", str(i), "rgb"[i % 3], *(["" for _ in labels] if i % 5 == 0 else labels)))
    with (folder / "shop.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    targets = tuple(map(Target.parse, kinds))
    return TableCase(str(folder / "shop.csv"), targets, text=("text",), number=("age",), category=("colour",))()


def photographs(folder):
    """Scenes in the layout of Flickr8k."""
    write_scenes(render_scenes(80, seed=3), folder)
    return flickr8k(folder, least=1)


def real(name):
    """A case on downloaded files."""

    def make(folder):
        root = os.environ.get("EQUIPOISE_DATA")
        if not root or not (Path(root) / name.split("-")[0]).is_dir():
            pytest.skip(f"EQUIPOISE_DATA names no folder with {name.split('-')[0]}/")
        return CASES[name]()

    return make


MAKERS = {
    "table": table,
    "captions": lambda folder: captions(80),
    "flickr8k": photographs,
    "scenes": lambda folder: scenes({"train": 60, "validation": 30, "test": 30}),
    **{name: real(name) for name in ("tox21", "census", "goemotions", "goemotions-groups")},
}


@dataclass(frozen=True, eq=False)
class Given:
    """The recipe of a case that is there."""

    case: Case

    @property
    def options(self) -> Mapping[str, Any]:
        return {}

    def __call__(self) -> Case:
        return self.case


def in_this_process(work, items, jobs):
    """``run_jobs`` without processes."""
    for item in items:
        yield Event("finished", item, (work(item, lambda *details: None),))


TRACES = """() => [...document.querySelectorAll('.plot')].filter((plot) => plot.checkVisibility())
    .map((plot) => plot.querySelectorAll('svg .trace').length)"""

CUT_HEADS = """() => [...document.querySelectorAll('table th')].filter((head) => head.scrollWidth > head.clientWidth)
    .map((head) => head.textContent)"""


@pytest.mark.parametrize(
    "name", ["table", *(pytest.param(name, marks=pytest.mark.exhaustive) for name in MAKERS if name != "table")]
)
def test_the_page_of_a_study_opens_in_peace_and_its_plots_are_those_of_the_files(name, tmp_path, open_page):
    (tmp_path / "data").mkdir()
    case = MAKERS[name](tmp_path / "data")
    train = case.splits["train"]
    shorter = replace(case, splits={**case.splits, "train": Subset(train, range(min(FEW, len(train))))})
    study = Study(make_plan(Given(shorter), ["sum", "uw"], [0, 1], epochs=1), tmp_path / "study")
    list(study.run(jobs=1, execute=in_this_process))
    assert study.failures == {}
    path = write_report(study.folder)
    read = Page(path)
    assert len(re.sub(r"data:image/[^\"']*", "", read.source).encode()) <= LARGEST
    require_numbers_of_the_files(read, study.folder)
    page = open_page(path)
    assert page.locator("#exhibits .missing").count() == 0
    assert min(page.evaluate(TRACES)) > 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert page.evaluate(CUT_HEADS) == []
