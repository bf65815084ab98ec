"""Matrices of diagnostics as PNG and SVG files, a panel for each method."""

import hashlib
import math
import re
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from equipoise.lab.diagnostics import DiagnosticResult, Matrix
from equipoise.lab.reports.static import STYLE, write_png, write_svg
from equipoise.lab.reports.study_diagnostics import StudyDiagnostics

COLUMNS = 3
PLACE, ROOM = 0.42, 1.7  # inches for a cell, and for the names beside them
MOST_NUMBERS = 12  # columns; numbers in narrower cells could not be read

Shown = tuple[str, DiagnosticResult, Matrix]  # method, diagnostic, its result


def file_name(shown: DiagnosticResult) -> str:
    """Of a diagnostic's figure, without its kind.

    >>> file_name(DiagnosticResult("a b-confusion", "", ("a b",), "reason"))
    'diagnostic-a-b-confusion-70e24bf6'
    """
    plain = re.sub(r"[^\w-]+", "-", shown.name)[:60]
    mark = "" if plain == shown.name else f"-{hashlib.sha256(shown.name.encode()).hexdigest()[:8]}"
    return f"diagnostic-{plain}{mark}"


def save_matrices(diagnostics: StudyDiagnostics, folder: Path) -> None:
    """Write ``folder/<file_name>.png`` and ``.svg`` of every matrix."""
    for found in matrices_of(diagnostics).values():
        figure, (_, shown, _) = draw_matrix(found), found[0]
        with matplotlib.rc_context(STYLE):
            write_png(figure, folder / f"{file_name(shown)}.png", dpi=110)
            figure.set_layout_engine("none")
            write_svg(figure, folder / f"{file_name(shown)}.svg")


def matrices_of(diagnostics: StudyDiagnostics) -> dict[str, list[Shown]]:
    """Every matrix by its diagnostic's name, with the methods that have it."""
    by_name: dict[str, list[Shown]] = {}
    titled = [("", one) for one in diagnostics.common]
    titled += [(method, one) for method, shown in diagnostics.of_method.items() for one in shown]
    for method, one in titled:
        if isinstance(one.result, Matrix):
            by_name.setdefault(one.name, []).append((method, one, one.result))
    return by_name


def draw_matrix(found: list[Shown]) -> Figure:
    """The figure of a matrix, a panel for each method that has it."""
    with matplotlib.rc_context(STYLE):
        return _figure(found[0][1].title, [(method, matrix) for method, _, matrix in found])


def _figure(title: str, panels: list[tuple[str, Matrix]]) -> Figure:
    columns = min(COLUMNS, len(panels))
    lines = math.ceil(len(panels) / columns)
    most = max(len(matrix.rows) for _, matrix in panels)
    side = ROOM + max(most, 4) * (PLACE if most <= MOST_NUMBERS else PLACE / 2)
    figure = Figure(figsize=(columns * side, lines * side + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=12)
    for place, (method, matrix) in enumerate(panels):
        _draw(figure.add_subplot(lines, columns, place + 1), method, matrix)
    return figure


def _draw(axes: Axes, method: str, matrix: Matrix) -> None:
    shares = np.array([[math.nan if s is None else s for s in row] for row in matrix.shares])
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    axes.set_title(method, fontsize=10)
    axes.set_xlabel(matrix.column_title)
    axes.set_ylabel(matrix.row_title)
    size = 8 if len(matrix.columns) <= MOST_NUMBERS else 6
    axes.set_xticks(range(len(matrix.columns)), matrix.columns, rotation=90, fontsize=size)
    axes.set_yticks(range(len(matrix.rows)), matrix.rows, fontsize=size)
    axes.grid(visible=False)
    if len(matrix.columns) <= MOST_NUMBERS:
        for i, k in np.argwhere(~np.isnan(shares)):
            ink = "white" if shares[i, k] > 0.6 else "black"
            axes.text(k, i, f"{100 * shares[i, k]:.0f}", ha="center", va="center", color=ink, fontsize=8)
