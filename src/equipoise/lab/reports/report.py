"""From results to their figures by name, and to their report: a page, figures and tables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from matplotlib.figure import Figure

from equipoise.lab.evaluation import StudyResults, Summary, TwoStudies
from equipoise.lab.evaluation.statistics import LEVEL
from equipoise.lab.files import folder_within
from equipoise.lab.reports import curves, figures
from equipoise.lab.reports.chart import Chart
from equipoise.lab.reports.diagnostics import MethodMatrix, StudyDiagnostics, draw_matrix, matrices_of, save_matrices
from equipoise.lab.reports.galleries import MethodGallery, draw_gallery, galleries_of
from equipoise.lab.reports.html import link_from, render_with_figures, save_page
from equipoise.lab.reports.page import render_study, render_training, render_values
from equipoise.lab.reports.palette import Look, looks
from equipoise.lab.reports.paper_tables import write_paper_tables
from equipoise.lab.reports.static import draw, save

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


@dataclass(frozen=True)
class Drawing:
    """What there is to draw.

    Args:
        summary: Of results; None where there are none to compare.
        study: With its curves and costs; None where there are values alone.
        diagnostics: Of its runs, if there are any.
    """

    summary: Summary | None
    study: StudyResults | None
    diagnostics: StudyDiagnostics | None = None

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of those that have anything to draw."""
        charts = [name for name, make in self._charts.items() if (chart := make()) is not None and chart.panels]
        return (*charts, *self._matrices, *self._galleries)

    def plot(self, name: str) -> Figure:
        """The figure of a name.

        Raises:
            ValueError: There is no such figure, or nothing to draw in it.
        """
        if name in self._matrices:
            return draw_matrix(self._matrices[name])
        if name in self._galleries:
            return draw_gallery(self._galleries[name])
        chart = self._charts[name]() if name in self._charts else None
        if chart is None:
            raise ValueError(f"no figure {name!r}: there are {', '.join(self.figures) or 'none'}")
        return draw(chart, self._look)

    @cached_property
    def _charts(self) -> Mapping[str, Callable[[], Chart | None]]:
        made: dict[str, Callable[[], Chart | None]] = {}
        if self.summary is not None:
            made |= {name: partial(make, self.summary, self._look) for name, make in OF_VALUES.items()}
        if self.study is not None:
            made |= {name: partial(make, self.study, self._look) for name, make in OF_TRAINING.items()}
        return made

    @cached_property
    def _matrices(self) -> Mapping[str, list[MethodMatrix]]:
        return matrices_of(self.diagnostics) if self.diagnostics else {}

    @cached_property
    def _galleries(self) -> Mapping[str, MethodGallery]:
        return galleries_of(self.diagnostics) if self.diagnostics else {}

    @cached_property
    def _look(self) -> Mapping[str, Look]:
        if self.summary is not None:
            return looks(tuple(row.method for row in self.summary.rows), self.summary.baselines.single_task)
        return looks(self.study.methods if self.study is not None else ())


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
    root = "" if page is None else link_from(page, folder) + "/"
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


def write_two_page(two: TwoStudies, page: Path) -> Path:
    """Write the page of two studies; one file without outside references."""
    look = looks(two.methods)
    text = render_with_figures(
        "two.html",
        [figures.changes(two, look)],
        look,
        title=f"{two.names[1]} against {two.names[0]}: Equipoise report",
        two=two,
        changes={(change.method, change.task): change for change in two.changes},
        version=two.version,
        level=LEVEL,
    )
    return save_page(page, text)
