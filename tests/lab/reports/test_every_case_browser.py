"""The page of a study of every case in a real browser; reviews and coffee-leaf have theirs elsewhere."""

import re

import pytest
from browsing import settle
from case_studies import STUDIES, run_study
from figures_of_files import check_figures
from report_reading import Page, write_report

LONG = ("captions", "scenes", "tox21", "goemotions", "goemotions-groups", "census")
SMALL = 6_000_000  # bytes, pictures aside
PICTURES = re.compile(r'(?<=src="data:image/png;base64,)[^"]+')
DRAWN = """() => Object.fromEntries(
  [...document.querySelectorAll(".plot")].filter((plot) => plot.checkVisibility()).map((plot) => [
    plot.id,
    [plot.querySelectorAll("svg .trace path, svg .trace .point").length > 0, plot.data.map(({ x, y }) => [x, y])],
  ]),
)"""
# plotly's thousandths and millionths, which read as a unit
LETTERS = """() => [...document.querySelectorAll(".xtick text, .ytick text")].map((tick) => tick.textContent)
  .filter((text) => /^[\\u2212\\d.]+[a-zA-Z\\u03bc\\u00b5]$/.test(text))"""
TOO_NARROW = """() => [...document.querySelectorAll("th, td")]
  .filter((cell) => cell.checkVisibility() && cell.scrollWidth > cell.clientWidth + 1)
  .map((cell) => cell.textContent)"""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.exhaustive if name in LONG else pytest.mark.slow) for name in STUDIES]
)
def test_a_page_opens_is_small_and_shows_the_numbers_of_its_files(name, tmp_path, open_page, monkeypatch):
    monkeypatch.setattr(
        "equipoise.lab.reports.report.save", lambda chart, look, folder: ()
    )  # they take most of the time
    folder = run_study(name, tmp_path, seeds=(0, 1) if name == "table" else (0,))
    report = Page(write_report(folder))
    check_figures(folder, report)
    assert len(PICTURES.sub("", report.source).encode()) <= SMALL
    page = open_page(folder / "report.html")
    seen = {}
    for choice in ("", *page.locator("select[data-chart]").evaluate_all("all => all.map((s) => s.dataset.chart)")):
        if choice:
            page.select_option(f'select[data-chart="{choice}"]', index=1)
            settle(page)
        seen |= page.evaluate(DRAWN)
    assert len(seen) > 5
    for plot, (is_there, data) in seen.items():
        assert is_there, plot
        assert data == [[trace["x"], trace["y"]] for trace in report.figures["panels"][plot]["data"]]
    assert page.evaluate(LETTERS) == []
    assert page.evaluate(TOO_NARROW) == []
    assert page.evaluate("[...document.images].every((image) => image.alt && image.naturalWidth > 0)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
