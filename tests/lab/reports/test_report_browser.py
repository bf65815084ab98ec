"""The page as a reader meets it: in a real browser, wide and narrow, light and dark."""

import pytest
from browsing import settle
from report_reading import write_report

from equipoise.lab.evaluation import TwoStudies
from equipoise.lab.reports import write_two_page

pytestmark = pytest.mark.slow

# differences with Δm, ranks, tradeoff, losses, weights, norms, cosines, in parts, magnitude similarity, condition
# number, costs
PANELS = 4 + 1 + 3 + 3 + 3 + 3 + 3 + 6 + 3 + 1 + 3


@pytest.fixture(scope="module")
def report(written):
    return written.path / "report.html"


DRAWN = """() => [...document.querySelectorAll('.plot')].map(plot => ({
    name: plot.id,
    marks: plot.querySelectorAll('svg .trace path, svg .trace .point, svg .errorbar').length,
    box: plot.querySelector('svg.main-svg')?.getBoundingClientRect().width ?? 0,
    inside: plot.parentElement.getBoundingClientRect().width + 1,
}))"""


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_figure_is_drawn_and_nothing_leaves_the_page(report, open_page, width, scheme):
    page = open_page(report, width, scheme)
    plots = page.evaluate(DRAWN)
    assert len(plots) == PANELS
    for plot in plots:
        assert plot["marks"] > 0, plot["name"]
        assert 200 < plot["box"] <= plot["inside"], plot["name"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 18, 22)"
    assert dark == (scheme == "dark")


LINE = "() => document.querySelector('#losses-0 .scatterlayer .trace path.js-line').style.stroke"
LETTERS = "() => document.querySelector('#losses-0 .xtick text').style.fill"


def test_figures_follow_a_change_of_scheme(report, open_page):
    page = open_page(report)
    light = page.evaluate(LINE), page.evaluate(LETTERS)
    page.emulate_media(color_scheme="dark")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    settle(page)
    dark = page.evaluate(LINE), page.evaluate(LETTERS)
    assert light[0] != dark[0]
    assert light[1] != dark[1]


TRACES = "() => document.querySelectorAll('#tradeoff-0 .scatterlayer .trace').length"


def test_the_bar_of_names_hides_and_isolates_methods_everywhere(report, open_page):
    page = open_page(report)
    before = page.evaluate(TRACES)
    button = page.locator('.legend button[data-method="mgda"]')
    button.click()
    settle(page)
    assert button.get_attribute("aria-pressed") == "false"
    assert page.evaluate(TRACES) == before - 2  # its seeds and its mean
    button.dblclick()
    settle(page)
    assert page.evaluate(TRACES) == 2
    page.locator("#all-methods").click()
    settle(page)
    assert page.evaluate(TRACES) == before


def test_a_chosen_panel_is_drawn_when_it_is_chosen(make, open_page):
    tasks = {f"task{i}": ("auroc", True) for i in range(6)}
    study = make(tasks=tasks, methods=("sum", "mgda"), single_task=False, epochs=3)
    page = open_page(write_report(study.path), 400)
    page.select_option('select[data-chart="tradeoff"]', index=14)
    settle(page)
    assert page.locator("#tradeoff .panel:visible h4").all_inner_texts() == ["task4 and task5"]
    assert page.locator("#tradeoff-14 svg .trace").count() == 4
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_odd_names_do_no_harm(make, open_page):
    evil = "lib/</script><img src=x onerror=alert(1)>&\"'.py:New$Method$" + "x" * 80
    task = "a<b>bold</b> " + "long" * 30
    study = make(methods=("sum", evil), tasks={task: ("m<ae>", False), "plain": ("auroc", True)}, epochs=3)
    page = open_page(write_report(study.path), 400)
    assert page.locator("img").count() == 0
    assert page.locator("#results b").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert all(plot["marks"] > 0 for plot in page.evaluate(DRAWN))


def test_a_poor_study_opens_without_empty_figures(make, open_page):
    study = make(methods=("sum",), seeds=(0,), single_task=False, cosines=False, norms=False, epochs=1)
    page = open_page(write_report(study.path))
    assert all(plot["marks"] > 0 for plot in page.evaluate(DRAWN))
    # differences, ranks, gradient norms, cosines, in parts, magnitude similarity, condition number, diagnostics
    assert page.locator(".missing").count() == 8


def test_the_page_of_two_studies_is_drawn(make, study, open_page):
    other = make(methods=("sum", "mgda"), epochs=3)
    two = TwoStudies.from_folders(other.path, study.path)
    page = open_page(write_two_page(two, other.path / "two.html"), 400)
    plots = page.evaluate(DRAWN)
    assert len(plots) == 3
    assert all(plot["marks"] > 0 and plot["box"] <= plot["inside"] for plot in plots)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_when_the_page_is_loaded_every_figure_is_drawn(report, browser):
    page = browser.new_page(viewport={"width": 1280, "height": 600})
    page.goto(report.as_uri(), wait_until="load", timeout=60_000)
    assert all(plot["marks"] > 0 for plot in page.evaluate(DRAWN))
    page.close()


def test_a_print_has_every_panel_at_the_width_of_the_paper(make, open_page):
    tasks = {f"task{i}": ("auroc", True) for i in range(6)}
    page = open_page(write_report(make(tasks=tasks, methods=("sum", "mgda"), single_task=False, epochs=3).path))
    hidden = page.locator(".panel[hidden]").count()
    assert hidden > 0
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    plots = page.evaluate(DRAWN)
    assert all(plot["marks"] > 0 and 0 < plot["box"] <= plot["inside"] <= 681 for plot in plots)
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    settle(page)
    assert page.locator(".panel[hidden]").count() == hidden


COVERED = """() => [...document.querySelectorAll('.plot')].filter(plot => {
    const bar = plot.querySelector('.modebar').getBoundingClientRect();
    const others = [plot.parentElement.querySelector('h4'), plot.querySelector('.cartesianlayer .bglayer, .bglayer'),
        ...plot.querySelectorAll('.annotation-text')].filter(Boolean).map(one => one.getBoundingClientRect());
    return others.some(one => one.height && one.left < bar.right && bar.left < one.right
        && one.top < bar.bottom - 1 && bar.top < one.bottom - 1);
}).map(plot => plot.id)"""


@pytest.mark.parametrize("width", [1280, 400])
def test_a_toolbar_covers_nothing(report, open_page, width):
    assert open_page(report, width).evaluate(COVERED) == []
