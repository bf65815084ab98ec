"""The page: one HTML file with its style, its script, its data and plotly inside."""

import base64
import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from string import Template
from typing import Any

from plotly.offline import get_plotlyjs

from equipoise.lab.evaluation import FORMULA, SINGLE_TASK, Summary
from equipoise.lab.reports.cells import mark
from equipoise.lab.reports.chart import Chart, Panel
from equipoise.lab.reports.exhibits_section import TITLE as EXHIBITS
from equipoise.lab.reports.exhibits_section import exhibits_section
from equipoise.lab.reports.fit_table import fit_table
from equipoise.lab.reports.interactive import specs
from equipoise.lab.reports.palette import Look
from equipoise.lab.reports.results_table import results_section
from equipoise.lab.reports.settings_table import cost_table, settings_section
from equipoise.lab.reports.study import Study
from equipoise.lab.reports.study_exhibits import StudyExhibits

MOST_PANELS = 9  # a chart with more shows one at a time
# nothing may be loaded from anywhere: the page holds all it needs
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"


def render(
    study: Study,
    summary: Summary,
    charts: Sequence[Chart],
    look: Mapping[str, Look],
    exhibits: StudyExhibits | None,
) -> str:
    """The whole page as text."""
    title = f"{summary.title}: Equipoise report"
    beside = {"costs": cost_table, "losses": fit_table}
    body = "\n".join(
        [
            _top(study, summary),
            _contents(charts),
            _legend(look),
            results_section(summary, look),
            *(
                _figure(chart, look, beside[chart.name](study, look) if chart.name in beside else "")
                for chart in charts
            ),
            exhibits_section(exhibits),
            settings_section(study),
            Template(_resource("reading.html")).substitute(formula=escape(FORMULA)),
            "</main>",
        ]
    )
    figures = {
        "panels": {f"{chart.name}-{place}": spec for chart in charts for place, spec in enumerate(specs(chart, look))},
        "looks": {method: {"light": each.light, "dark": each.dark} for method, each in look.items()},
    }
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{escape(title)}</title>
<style>
{_resource("page.css")}</style>
</head>
<body>
{body}
<footer><p>Written by Equipoise {escape(str(study.settings["equipoise"]))}. This file needs no network.</p></footer>
<script id="figures" type="application/json">{_json(figures)}</script>
<script id="plotly" type="text/plain">{_packed(get_plotlyjs())}</script>
<script>
{_resource("page.js")}</script>
</body>
</html>
"""


def _resource(name: str) -> str:
    return (resources.files("equipoise.lab.reports") / name).read_text(encoding="utf-8")


def _packed(script: str) -> str:
    """The script compressed, in base64: a third of its size; page.js unpacks it."""
    return base64.b64encode(gzip.compress(script.encode("utf-8"), mtime=0)).decode("ascii")


def _json(value: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _top(study: Study, summary: Summary) -> str:
    methods = len(summary.methods)
    about = [
        f"Case {summary.case}",
        f"{len(summary.tasks)} tasks",
        f"{methods} balancing{'s' * (methods != 1)}",
        f"{len(summary.seeds)} seed{'s' * (len(summary.seeds) != 1)}",
        *([] if summary.row(SINGLE_TASK) is None else ["one network per task as the yardstick"]),
    ]
    unfinished = (
        ""
        if summary.complete
        else '<p class="unfinished">This study is not finished: the page shows the runs that are. '
        "Run the same command again to continue.</p>"
    )
    stamp = f'<p class="unfinished">Unequal: {escape("; ".join(summary.unequal))}.</p>' if summary.unequal else ""
    failed = [f"{run} failed: {line}" for run, line in study.settings["failed"].items()]
    return f"""<header>
<h1>{escape(summary.title)}</h1>
<p class="about">{escape(" · ".join(about))}</p>
</header>
<main>
<div class="verdict">
{unfinished}{stamp}<p class="headline">{escape(summary.headline)}</p>
<p class="advice">{escape(summary.advice)}</p>
{"".join(f'<p class="note">{escape(note)}</p>' for note in (*summary.notes, *failed))}</div>"""


def _contents(charts: Iterable[Chart]) -> str:
    links = [("results", "Results"), *((chart.name, chart.title) for chart in charts)]
    links += [("exhibits", EXHIBITS), ("settings", "Settings and versions"), ("reading", "How to read this")]
    return "<nav>" + "".join(f'<a href="#{name}">{escape(title)}</a>' for name, title in links) + "</nav>"


def _legend(look: Mapping[str, Look]) -> str:
    buttons = "".join(
        f'<button type="button" data-method="{escape(method)}" aria-pressed="true" title="{escape(method)}">'
        f"{mark(each)}{escape(each.label)}</button>"
        for method, each in look.items()
    )
    return (
        '<div class="legend" role="group" aria-label="Methods shown in the figures; double-click shows one alone">'
        f'{buttons}<button type="button" id="all-methods" disabled>Show all</button></div>'
    )


def _figure(chart: Chart, look: Mapping[str, Look], table: str) -> str:
    head = f'<section id="{chart.name}"><h2>{escape(chart.title)}</h2>'
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in chart.notes)
    if not chart.panels:
        return f'{head}<p class="missing">{escape(chart.missing)}</p>{notes}</section>'
    choice = ""
    one_at_a_time = len(chart.panels) > MOST_PANELS
    if one_at_a_time:
        options = "".join(f"<option>{escape(panel.title)}</option>" for panel in chart.panels)
        choice = (
            f'<select data-chart="{chart.name}" aria-label="Which panel of {escape(chart.title)}">{options}</select>'
        )
    panels = "".join(
        f'<div class="panel"{" hidden" if one_at_a_time and place else ""}><h4>{escape(panel.title)}</h4>'
        f'<div class="plot" id="{chart.name}-{place}" role="img" aria-label="{escape(_spoken(chart, panel))}">'
        "</div></div>"
        for place, panel in enumerate(chart.panels)
    )
    links = " · ".join(f'<a href="figures/{chart.name}.{kind}">{kind.upper()}</a>' for kind in ("png", "svg"))
    return (
        f"{head}<figure><figcaption>{escape(chart.caption)}</figcaption>{choice}"
        f'<div class="panels{" wide" if len(chart.panels) in (1, 2, 4) else ""}">{panels}</div></figure>{notes}{table}'
        f'<p class="links">The same figure beside this page: {links}</p></section>'
    )


def _spoken(chart: Chart, panel: Panel) -> str:
    axes = f"{panel.y_title} against {panel.x_title}" if panel.y_title else panel.x_title
    return f"{chart.title}, {panel.title}: {axes}"
