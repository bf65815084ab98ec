"""The figures of a report by name, each made when it is asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

from matplotlib.figure import Figure

from equipoise.lab.evaluation import StudyResults, Summary
from equipoise.lab.reports.chart import Chart
from equipoise.lab.reports.diagnostics import MethodMatrix, StudyDiagnostics, draw_matrix, matrices_of
from equipoise.lab.reports.palette import Look, looks
from equipoise.lab.reports.report import OF_TRAINING, OF_VALUES
from equipoise.lab.reports.static import draw


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
        return (*charts, *self._matrices)

    def plot(self, name: str) -> Figure:
        """The figure of a name.

        Raises:
            ValueError: There is no such figure, or nothing to draw in it.
        """
        if name in self._matrices:
            return draw_matrix(self._matrices[name])
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
    def _look(self) -> Mapping[str, Look]:
        if self.summary is not None:
            return looks(tuple(row.method for row in self.summary.rows), self.summary.baselines.single_task)
        return looks(self.study.methods if self.study is not None else ())
