"""The page of a study."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.metadata import version
from string import Template

from equipoise.lab.evaluation import FORMULA, StudyResults, Summary
from equipoise.lab.reports.chart import Chart
from equipoise.lab.reports.diagnostics_section import TITLE as DIAGNOSTICS
from equipoise.lab.reports.diagnostics_section import diagnostics_section
from equipoise.lab.reports.figure import figure_section
from equipoise.lab.reports.fit_table import fit_table
from equipoise.lab.reports.frame import contents, document, legend, resource
from equipoise.lab.reports.palette import Look
from equipoise.lab.reports.results_table import results_section
from equipoise.lab.reports.settings_table import cost_table, settings_section
from equipoise.lab.reports.static import some_of
from equipoise.lab.reports.study_diagnostics import StudyDiagnostics

PAPERS = (
    '<p class="links">The table of results for papers: <a href="tables/results.tex">LaTeX</a> · '
    '<a href="tables/results.md">Markdown</a></p>'
)
TABLES = {"costs": cost_table, "losses": fit_table}  # below a chart, by its name


def render(
    study: StudyResults,
    summary: Summary,
    charts: Sequence[Chart],
    look: Mapping[str, Look],
    diagnostics: StudyDiagnostics | None,
    root: str | None = "",
) -> str:
    """The whole page as text; ``root`` leads from it to the study's folder, None: no link leads there."""
    links = [("results", "Results"), *((chart.name, chart.title) for chart in charts), ("diagnostics", DIAGNOSTICS)]
    body = [
        _top(study, summary),
        contents([*links, ("settings", "Settings and versions"), ("reading", "How to read this")]),
        legend(look),
        results_section(summary, look, PAPERS),
        *(figure_section(chart, _below(chart, study, look)) for chart in charts),
        diagnostics_section(diagnostics),
        settings_section(study),
        Template(resource("reading.html")).substitute(formula=escape(FORMULA)),
        "</main>",
    ]
    title = f"{summary.title}: Equipoise report"
    text = _linked("\n".join(body), root)
    return document(title, text, charts, look, str(study.settings["equipoise"]))


def render_training(
    study: StudyResults,
    title: str,
    headline: str,
    charts: Sequence[Chart],
    look: Mapping[str, Look],
    diagnostics: StudyDiagnostics | None,
) -> str:
    """The page of one training without a study's folder."""
    links = [(chart.name, chart.title) for chart in charts]
    tasks = f"{len(study.tasks)} task{'s' * (len(study.tasks) != 1)}"
    body = [
        f"""<header>
<h1>{escape(title)}</h1>
<p class="about">{tasks} · {study.settings["settings"]["epochs"]} epochs</p>
</header>
<main>
<div class="verdict"><p class="headline">{escape(headline)}</p></div>""",
        contents([*links, *([("diagnostics", DIAGNOSTICS)] if diagnostics else [])]),
        legend(look),
        *(figure_section(chart, _below(chart, study, look)) for chart in charts),
        *([diagnostics_section(diagnostics, "the last outputs that were recorded")] if diagnostics else []),
        "</main>",
    ]
    return document(title, _linked("\n".join(body), None), charts, look, str(study.settings["equipoise"]))


def render_values(summary: Summary, charts: Sequence[Chart], look: Mapping[str, Look]) -> str:
    """The page of results without a study's folder."""
    links = [("results", "Results"), *((chart.name, chart.title) for chart in charts)]
    body = [
        _head(summary, []),
        contents(links),
        legend(look),
        results_section(summary, look),
        *(figure_section(chart) for chart in charts),
        "</main>",
    ]
    return document(f"{summary.title}: Equipoise report", "\n".join(body), charts, look, version("equipoise"))


def _linked(text: str, root: str | None) -> str:
    """With its links, but for anchors, to the study's folder; without them where there is none."""
    if root is None:
        text = re.sub(r'<p class="links">.*?</p>', "", text)
        return re.sub(r'<a href="(?!#)[^"]*">(.*?)</a>', r"\1", text)
    return re.sub(r'(?<=<a href=")(?!#)', lambda _: root, text)


def _below(chart: Chart, study: StudyResults, look: Mapping[str, Look]) -> str:
    """The chart's table, and links to its files."""
    table = TABLES[chart.name](study, look) if chart.name in TABLES else ""
    same = f"The same figure ({some_of(chart)})" if some_of(chart) else "The same figure"
    links = " · ".join(f'<a href="figures/{chart.name}.{kind}">{kind.upper()}</a>' for kind in ("png", "svg"))
    return f'{table}<p class="links">{same} beside this page: {links}</p>'


def _top(study: StudyResults, summary: Summary) -> str:
    return _head(summary, [f"{run} failed: {line}" for run, line in study.settings["failed"].items()])


def _head(summary: Summary, failed: Sequence[str]) -> str:
    losses = sum(bool(row.arm.losses) for row in summary.rows)
    methods = len(summary.methods) - losses
    about = [
        *([f"Case {summary.case}"] if summary.case else []),
        f"{len(summary.tasks)} task{'s' * (len(summary.tasks) != 1)}",
        f"{methods} method{'s' * (methods != 1)}",
        *([f"{losses} other loss{'es' * (losses != 1)}"] if losses else []),
        f"{len(summary.seeds)} seed{'s' * (len(summary.seeds) != 1)}",
        *([] if summary.row(summary.baselines.single_task) is None else ["single-task baseline"]),
    ]
    unfinished = (
        ""
        if summary.complete
        else '<p class="unfinished">This study is not finished: the page shows the runs that are. '
        "Run the same command again to continue.</p>"
    )
    stamp = f'<p class="unfinished">Unequal: {escape("; ".join(summary.unequal))}.</p>' if summary.unequal else ""
    return f"""<header>
<h1>{escape(summary.title)}</h1>
<p class="about">{escape(" · ".join(about))}</p>
</header>
<main>
<div class="verdict">
{unfinished}{stamp}<p class="headline">{escape(summary.headline)}</p>
<p class="advice">{escape(summary.advice)}</p>
{"".join(f'<p class="note">{escape(note)}</p>' for note in (*summary.notes, *failed))}</div>"""
