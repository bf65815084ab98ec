"""From a study to its report: a page, figures and tables."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from equipoise.lab.evaluation import StudyResults, Summary
from equipoise.lab.files import folder_within
from equipoise.lab.reports import curves, figures
from equipoise.lab.reports.chart import Chart
from equipoise.lab.reports.diagnostics import StudyDiagnostics, save_matrices
from equipoise.lab.reports.html import save_page
from equipoise.lab.reports.page import render_study, render_training, render_values
from equipoise.lab.reports.palette import Look, looks
from equipoise.lab.reports.paper_tables import write_paper_tables
from equipoise.lab.reports.static import save

OF_VALUES: Mapping[str, Callable[[Summary, Mapping[str, Look]], Chart]] = {  # need no more than each run's result
    "differences": figures.differences,
    "ranks": figures.critical_differences,
}
OF_TRAINING: Mapping[str, Callable[[StudyResults, Mapping[str, Look]], Chart | None]] = {  # from a study's folder
    "tradeoff": figures.tradeoff,
    "losses": curves.losses,
    "parts": curves.parts,
    "weights": curves.weights,
    "gradient_norms": curves.gradient_norms,
    "cosines": curves.cosines,
    "part_cosines": curves.part_cosines,
    "magnitude_similarity": curves.magnitude_similarity,
    "condition_number": curves.condition_number,
    "costs": figures.costs,
}


def write_report(
    study: StudyResults,
    summary: Summary,
    doing: Callable[[str], None] = lambda what: None,
    page: Path | None = None,
    links: bool = True,
) -> Path:
    """Write ``report.html``, ``figures/*.png|svg`` and ``tables/*.tex|md`` into the folder of a study.

    The page is one file without outside references; it is replaced in one step, so that a reader
    never meets half of it. The folder may be somebody else's: no link in it is followed.

    Args:
        study: finished or not.
        summary: of it.
        doing: is told what is being made, in a few words; the figures of many tasks take a while.
        page: where the page is written in place of ``report.html``; its links lead to the files of the folder.
        links: whether there are any; not where the folder will be gone.

    Returns:
        The path of the page.

    Raises:
        ValueError: a run's diagnostics are damaged, or a link leads out of the folder.
    """
    folder = study.folder
    look = looks(study.methods)
    of_training = [make(study, look) for make in OF_TRAINING.values()]
    charts = (*(make(summary, look) for make in OF_VALUES.values()), *filter(None, of_training))
    images = folder_within(folder, "figures")
    for place, chart in enumerate(charts, 1):
        doing(f"figure {place} of {len(charts)}, {chart.title}")
        save(chart, look, images)
    write_paper_tables(summary, folder_within(folder, "tables"))
    diagnostics = StudyDiagnostics.of_study(study)
    if diagnostics is not None:
        save_matrices(diagnostics, images)
    doing("the page")
    where = folder / "report.html" if page is None else page
    root = "" if page is None else quote(os.path.relpath(folder, page.parent).replace(os.sep, "/")) + "/"
    return save_page(where, render_study(study, summary, charts, look, diagnostics, root if links else None))


def write_short_report(summary: Summary, page: Path) -> Path:
    """Write the page of results of which there is nothing but their values; one file without outside references."""
    look = looks(tuple(row.method for row in summary.rows), summary.baselines.single_task)
    return save_page(page, render_values(summary, [make(summary, look) for make in OF_VALUES.values()], look))


def write_training_report(
    study: StudyResults, title: str, headline: str, diagnostics: StudyDiagnostics | None, page: Path
) -> None:
    """Write the page of one training, of which there is nothing to compare; one file without outside references."""
    look = looks(study.methods)
    charts = [chart for make in OF_TRAINING.values() if (chart := make(study, look)) is not None and chart.panels]
    save_page(page, render_training(study, title, headline, charts, look, diagnostics))
