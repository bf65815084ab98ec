"""The pages of two cases in a real browser: every section is there, drawn, and can be used by keyboard."""

import os
from itertools import pairwise
from pathlib import Path

import pytest
from browsing import settle
from made_diagnostics import add_case
from made_study import make_study
from report_reading import write_report

from equipoise.lab.cases import CASES
from equipoise.lab.evaluation import FIT_RULE

pytestmark = pytest.mark.slow

SECTIONS = [
    *("results", "tables", "differences", "ranks", "tradeoff", "losses", "weights", "gradient_norms", "cosines"),
    *("part_cosines", "magnitude_similarity", "condition_number", "costs", "diagnostics", "settings", "reading"),
]
METHODS = ("sum", "mgda")


def has(name):
    return bool(os.environ.get("EQUIPOISE_DATA")) and (Path(os.environ["EQUIPOISE_DATA"]) / name).is_dir()


@pytest.fixture(scope="module", params=["reviews", "coffee-leaf"])
def report(request, tmp_path_factory):
    if request.param != "reviews" and not has(request.param):
        pytest.skip(f"EQUIPOISE_DATA names no folder with {request.param}/")
    case = CASES[request.param]()
    tasks = {task: (metrics[0].name, metrics[0].higher_is_better) for task, metrics in case.metrics.items()}
    study = make_study(tmp_path_factory.mktemp("study"), methods=METHODS, tasks=tasks, epochs=4)
    add_case(study, case, METHODS)
    return write_report(study.path)


@pytest.fixture
def page(report, open_page):
    return open_page(report)


HEADINGS = """() =>
  [...document.querySelectorAll("h1, h2, h3, h4")].filter((h) => h.checkVisibility()).map((h) => Number(h.tagName[1]))
"""
NAMES = "() => [...document.querySelectorAll('.plot, .table, select')].map((e) => e.ariaLabel || e.labels?.length)"
CONTRAST = """() => {
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const parts = (text) => {
    const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
    for (const colour of ["white", getComputedStyle(document.body).backgroundColor, ...text]) {
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
    }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3).map((v) => linear(v / 255));
  };
  const light = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
  const surface = getComputedStyle(document.querySelector("section")).backgroundColor;
  const shown = "#diagnostics .shown:not([hidden]) td, #diagnostics h4, #diagnostics p";
  return [...document.querySelectorAll(shown)].map((cell) => {
    const style = getComputedStyle(cell);
    const [a, b] = [light(parts([surface, style.backgroundColor])), light(parts([style.color]))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  });
}"""


def test_every_section_is_there_and_drawn_and_has_a_heading(page):
    assert page.evaluate("[...document.querySelectorAll('main > section')].map(s => s.id)") == SECTIONS
    for name in SECTIONS:
        assert page.locator(f"#{name} > h2").count() == 1, name
        assert page.locator(f"nav a[href='#{name}']").count() == 1, name
    drawn = page.evaluate("[...document.querySelectorAll('.plot')].map(p => p.querySelectorAll('svg .trace').length)")
    assert len(drawn) > 15
    assert min(drawn) > 0
    headings = page.evaluate(HEADINGS)
    assert headings[0] == 1
    assert all(following <= heading + 2 for heading, following in pairwise(headings))
    assert FIT_RULE in " ".join(page.locator("#losses").inner_text().split())


def test_diagnostics_follow_the_chosen_method_by_keyboard(page):
    choice = page.get_by_label("Method", exact=True)
    assert choice.input_value() == "sum"
    visible = page.locator("#diagnostics .shown:visible")
    assert visible.count() == 1
    before = visible.inner_text()
    choice.focus()
    page.keyboard.press("ArrowDown")
    assert choice.input_value() == "mgda"
    assert page.locator("#diagnostics .shown:visible").count() == 1
    assert page.locator("#diagnostics .shown:visible").inner_text() != before


def test_pictures_have_words_and_tables_names_and_all_can_be_read(page):
    images = page.evaluate("[...document.querySelectorAll('img')].map(i => [i.alt, i.naturalWidth])")
    assert all(alt and width for alt, width in images)
    assert all(page.evaluate(NAMES))
    assert page.evaluate("[...document.querySelectorAll('.table')].every(t => t.tabIndex === 0)")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        settle(page)
        ratios = page.evaluate(CONTRAST)
        assert len(ratios) > 20
        assert min(ratios) >= 4.5  # WCAG 2.1, 1.4.3
