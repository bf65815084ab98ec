"""One page that compares two studies."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

from equipoise.lab.evaluation import Change, TaskMetric, show
from equipoise.lab.files import write_text
from equipoise.lab.reports.cells import NOTHING, data, name, row, table
from equipoise.lab.reports.chart import Chart, Panel, Series
from equipoise.lab.reports.figure import figure_section
from equipoise.lab.reports.frame import contents, document, legend
from equipoise.lab.reports.palette import Look, looks
from equipoise.lab.reports.results_table import comparison_cell
from equipoise.lab.reports.two_studies import TwoStudies

READING = (
    "A difference is the second study minus the first, of the primary test metric. Where both have the same data, it "
    "is paired by seed, with its 95 % interval by Student's t; verdicts are corrected by Holm's procedure for all "
    "comparisons of this page together. Two studies may differ in several settings at once: a difference does not say "
    "which of them made it."
)


def write_two_page(two: TwoStudies, page: Path) -> Path:
    """Write the page; it is replaced in one step."""
    write_text(page, render_two(two))
    return page


def render_two(two: TwoStudies) -> str:
    """The whole page as text."""
    look = looks(two.methods)
    chart = differences(two, look)
    a, b = map(escape, two.names)
    title = f"{two.names[1]} against {two.names[0]}"
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in two.notes)
    stamp = f'<p class="unfinished">Unequal: {escape("; ".join(two.unequal))}.</p>' if two.unequal else ""
    links = [("results", "Results"), (chart.name, chart.title), ("settings", "Where the settings differ")]
    about = f"{a}: {escape(two.titles[0])} · {b}: {escape(two.titles[1])}"
    body = f"""<header><h1>{escape(title)}</h1><p class="about">{about}</p></header>
<main>
<div class="verdict">{stamp}<p class="headline">{escape(two.headline)}</p>{notes}</div>
{contents([*links, ("reading", "How to read this")])}
{legend(look)}
<section id="results"><h2>Results on the test split</h2>{_results(two, look)}</section>
{figure_section(chart)}
<section id="settings"><h2>Where the settings differ</h2>{_settings(two)}</section>
<section id="reading"><h2>How to read this</h2><p>{escape(READING)}</p></section>
</main>"""
    return document(f"{title}: Equipoise report", body, [chart], look, two.version)


def differences(two: TwoStudies, look: Mapping[str, Look]) -> Chart:
    """Second minus first of every method, with its interval, a panel for each task."""
    panels = [panel for metric in two.metrics if (panel := _panel(two, metric, look)) is not None]
    return Chart(
        "differences",
        "Differences between the studies",
        "A mark is the mean difference over the seeds of both studies, its line the paired-t 95 % interval. Filled "
        "marks remain significant after Holm's correction for all comparisons of this page.",
        tuple(panels),
        missing="No differences: nothing can be paired by seed.",
    )


def _panel(two: TwoStudies, metric: TaskMetric, look: Mapping[str, Look]) -> Panel | None:
    shown = [c for c in two.changes if c.task == metric.task and c.comparison is not None]
    series = tuple(_mark(change, place, look) for place, change in enumerate(shown))
    direction = "second is better →" if metric.higher_is_better else "← second is better"
    rows = tuple(look[change.method].label for change in shown)
    if not shown:
        return None
    return Panel(metric.task, f"difference in {metric.name} · {direction}", "", series, rows, zero="x")


def _mark(change: Change, place: int, look: Mapping[str, Look]) -> Series:
    assert change.comparison is not None
    interval = change.comparison.interval
    known = interval.low == interval.low
    low, high = (interval.low, interval.high) if known else (interval.mean, interval.mean)
    bounds = f"95 % interval {low:+.4g} to {high:+.4g}" if known else "no interval"
    return Series(
        "interval",
        change.method,
        (interval.mean,),
        (place,),
        hollow=change.comparison.verdict not in ("better", "worse"),
        low=(low,),
        high=(high,),
        what=look[change.method].label,
        hover=(f"{interval.mean:+.4g}\n{bounds}, {interval.n} seeds\n{change.comparison.verdict}",),
    )


def _results(two: TwoStudies, look: Mapping[str, Look]) -> str:
    a, b = map(escape, two.names)
    first, second = ['<th rowspan="2" class="left">Method</th>'], []
    for metric in two.metrics:
        direction = "higher is better" if metric.higher_is_better else "lower is better"
        words = f"{escape(metric.task)}<small>{escape(metric.name)}, {direction}</small>"
        first.append(f'<th class="task first" colspan="3">{words}</th>')
        second += [f'<th class="first">{a}</th>', f"<th>{b}</th>", "<th>Difference</th>"]
    found = {(change.method, change.task): change for change in two.changes}
    body = []
    for method in two.methods:
        cells = [name(method, look[method])]
        for metric in two.metrics:
            change = found.get((method, metric.task))
            if change is None:
                cells += [f'<td class="first same">{NOTHING}</td>', *[f'<td class="same">{NOTHING}</td>'] * 2]
                continue
            cells.append(f'<td class="first">{data(change.first, show(change.first))}</td>')
            cells.append(f"<td>{data(change.second, show(change.second))}</td>")
            cells.append(comparison_cell(change.comparison, NOTHING))
        body.append(row(*cells))
    return table("Results", (row(*first), row(*second)), body)


def _settings(two: TwoStudies) -> str:
    if not two.differing:
        return "<p>Nowhere: settings, data, seeds, methods and versions are the same.</p>"
    a, b = map(escape, two.names)
    head = row('<th class="left">Setting</th>', f'<th class="left">{a}</th>', f'<th class="left">{b}</th>')
    body = [
        row(f'<th scope="row">{escape(key)}</th>', f"<td>{escape(one)}</td>", f"<td>{escape(other)}</td>")
        for key, one, other in two.differing
    ]
    return table("Settings that differ", (head,), body, "plain")
