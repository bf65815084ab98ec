"""The results of a comparison: computed once, or read from its folder, and shown in many ways."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.lab.evaluation import Judgement, StudyResults, Summary, counted, judgement_of
from equipoise.lab.files.rows import to_frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from equipoise.lab.reports import SummaryView
    from equipoise.lab.reports.report import Drawing


@dataclass(frozen=True, repr=False)
class Results:
    """The results of a comparison, wherever they were measured.

    Args:
        summary: Every figure of them; what ``equipoise compare`` prints.
        failures: By run, why it failed.
        study: What its folder holds, with curves and costs; None where only values are known.
        temporary: Whether the study's folder is gone with these results.
    """

    summary: Summary
    failures: Mapping[str, str] = field(default_factory=dict)
    study: StudyResults | None = None
    temporary: bool = False

    @cached_property
    def verdict(self) -> Judgement:
        """The headline, the advice, and every comparison with estimate, interval, adjusted p-value and decision."""
        return judgement_of(self.summary)

    def table(self) -> "ResultsTable":
        """The means and differences: printed, shown in a notebook, or as LaTeX or Markdown."""
        return ResultsTable(self.summary)

    def to_frame(self) -> Any:
        """A pandas frame of the values with the columns that ``judge`` takes; a run that is missing is NaN.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        columns = ("method", "seed", "task", "metric", "value", "better")
        better = {metric.task: "higher" if metric.higher_is_better else "lower" for metric in self.summary.metrics}
        rows = [
            (method, seed, task, name, by_task[task].get(seed, float("nan")), better[task])
            for method, by_task in self.summary.values.items()
            for task, name in ((metric.task, metric.name) for metric in self.summary.metrics)
            for seed in self.summary.seeds
        ]
        return to_frame(columns, rows)

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of the figures that ``plot`` can draw, as the report has them."""
        return self._drawing.figures

    def plot(self, name: str = "differences") -> "Figure":
        """A figure of the report as a matplotlib figure, to be saved or changed.

        Args:
            name: One of ``figures``.

        Raises:
            ValueError: There is no such figure, or nothing to draw in it.
        """
        return self._drawing.plot(name)

    def save_report(self, page: str | Path = "report.html") -> Path:
        """Write the report: one HTML file that needs no network; its folder is made where there is none.

        That of a study links to the figures, tables and results in its folder, which are written anew.

        Returns:
            The path of the page.

        Raises:
            OSError: It cannot be written.
        """
        from equipoise.lab.reports import write_report, write_short_report

        if self.study is None:
            return write_short_report(self.summary, Path(page))
        return write_report(self.study, self.summary, page=Path(page), links=not self.temporary)

    @cached_property
    def _drawing(self) -> "Drawing":
        from equipoise.lab.reports.diagnostics import StudyDiagnostics
        from equipoise.lab.reports.report import Drawing

        diagnostics = None if self.study is None else StudyDiagnostics.of_study(self.study)
        return Drawing(self.summary, self.study, diagnostics)

    def __repr__(self) -> str:
        failed = f" {counted(len(self.failures), 'run')} failed." if self.failures else ""
        verdict = " ".join((*self.summary.cautions, self.verdict.headline))
        return f"<Results of {self.summary.title}: {verdict}{failed}>"

    def _repr_html_(self) -> str:
        cautions = "".join(f"<p><strong>{escape(caution)}</strong></p>" for caution in self.summary.cautions)
        verdict = (
            f"{cautions}<p><strong>{escape(self.verdict.headline)}</strong> {escape(str(self.verdict.advice))}</p>"
        )
        failed = "".join(f"<p>{escape(run)} failed: {escape(why)}</p>" for run, why in self.failures.items())
        return f"{verdict}{self.table()._repr_html_()}{failed}"


def none_finished(failures: Mapping[str, str], folder: Path | None) -> RuntimeError:
    """The error of a comparison without any finished run: the first failure, how many others, where they are.

    Args:
        failures: By run, its error in one line, in order; at least one.
        folder: Where the tracebacks are kept; None: nowhere.
    """
    (run, why), others = next(iter(failures.items())), len(failures) - 1
    alike = list(failures.values()).count(why) - 1
    likewise = f", {alike} of them likewise" if alike else ""
    rest = f"; {counted(others, 'other run')} failed{likewise}" if others else ""
    where = "give a folder to keep the tracebacks" if folder is None else f"the tracebacks are in {folder / 'runs'}"
    return RuntimeError(f"no run finished; {run} failed: {why}{rest}; {where}")


@dataclass(frozen=True, repr=False)
class ResultsTable:
    """A table of results and its forms."""

    summary: Summary

    def to_markdown(self) -> str:
        """Means, differences to the plain sum with intervals, Δm; bold only where verdicts are significant."""
        from equipoise.lab.reports.paper_tables import markdown

        return markdown(self.summary)

    def to_latex(self) -> str:
        """The same as a ``tabular`` with booktabs."""
        from equipoise.lab.reports.paper_tables import latex

        return latex(self.summary)

    def __rich__(self) -> "SummaryView":
        from equipoise.lab.reports import SummaryView

        return SummaryView(self.summary)

    def __str__(self) -> str:
        from equipoise.lab.reports.terminal import text_of

        return text_of(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from equipoise.lab.reports.paper_tables import html_table

        return html_table(self.summary)


def load(folder: str | Path) -> Results:
    """The results in the folder of a study or of a loop's runs, as ``compare`` and the command line leave it.

    It is recorded in study.json that verdicts were looked at, as ``equipoise report`` does: looking, adding seeds and
    looking again changes what verdicts mean.

    Raises:
        ValueError: The folder holds no study, no finished run of it, a damaged file or a link that leads out.
        OSError: study.json cannot be written.

    >>> load("no-such-folder")
    Traceback (most recent call last):
    ...
    ValueError: no-such-folder is not the folder of a study: it has no study.json
    """
    from equipoise.lab.studies import record_look

    folder = Path(folder)
    study = StudyResults.from_folder(folder).looked_at()
    results = Results(Summary.of_study(study), study.settings.get("failed", {}), study)
    record_look(study)
    return results
