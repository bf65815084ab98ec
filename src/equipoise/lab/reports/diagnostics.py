"""The diagnostics of a study: those of one seed of each method, and their matrices as figures."""

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from equipoise.lab.diagnostics import DiagnosticResult, Matrix, diagnostics_hash, read_diagnostics, sum_of_confusions
from equipoise.lab.evaluation import SINGLE_TASK, StudyResults
from equipoise.lab.evaluation.study import RunDiagnostics
from equipoise.lab.files import DamagedError, file_within
from equipoise.lab.reports.static import STYLE, write_png, write_svg

COLUMNS = 3
PLACE, ROOM = 0.42, 1.7  # inches for a cell, and for the names beside them
MOST_NUMBERS = 12  # columns; numbers in narrower cells could not be read

MethodMatrix = tuple[str, DiagnosticResult, Matrix]  # method, diagnostic, its result


@dataclass(frozen=True)
class StudyDiagnostics:
    """What the runs of a study show.

    Args:
        of_method: By method, in the order of the study; single-task networks together. Confusion matrices are summed
            over the method's seeds.
        common: What is the same whatever the method, such as which true labels come together.
        seed: Whose runs all others are.
    """

    of_method: dict[str, tuple[DiagnosticResult, ...]]
    common: tuple[DiagnosticResult, ...]
    seed: int

    @property
    def first(self) -> str:
        """The method whose diagnostics are shown first."""
        methods = list(self.of_method)
        return next((method for method in methods if method != SINGLE_TASK), methods[0])

    @classmethod
    def of_study(cls, study: StudyResults) -> "StudyDiagnostics | None":
        """Those of the seed that most methods share, the smallest among equals; None where no run shows anything.

        Raises:
            ValueError: A run's folder lies outside the study's, or a file is damaged.
        """
        rows = [row for row in study.diagnostics if row.method in study.methods]
        if not rows:
            return None
        seeds = {row.seed for row in rows}
        seed = min(seeds, key=lambda s: (-len({row.method for row in rows if row.seed == s}), s))
        found: dict[str, tuple[DiagnosticResult, ...]] = {}
        for method in study.methods:
            of_method = [row for row in rows if (row.method, row.seed) == (method, seed)]
            if shown := tuple(shown for row in of_method for shown in _of_run(study.folder, row)):
                found[method] = shown
        common = _common(found)
        names = {shown.name for shown in common}
        kept: dict[str, tuple[DiagnosticResult, ...]] = {}
        for method, shown in found.items():
            has_matrix = any(isinstance(one.result, Matrix) for one in shown)  # nothing else is summed over seeds
            others = [row for row in rows if has_matrix and row.method == method and row.seed != seed]
            of_others = [one for row in others for one in _of_run(study.folder, row)]
            kept[method] = tuple(_over_seeds(one, of_others) for one in shown if one.name not in names)
        return cls(kept, common, seed)


def _of_run(study: Path, row: RunDiagnostics) -> tuple[DiagnosticResult, ...]:
    try:
        folder = file_within(study, row.folder)
    except ValueError as error:
        raise ValueError(f"{study / 'exhibits.csv'}: {error}") from None
    if row.sha256 and diagnostics_hash(folder) != row.sha256:
        raise DamagedError(folder / "exhibits.json", "or a picture of it is not as it was written", folder)
    return read_diagnostics(folder)


def _over_seeds(shown: DiagnosticResult, of_others: Sequence[DiagnosticResult]) -> DiagnosticResult:
    """A confusion matrix summed with those of the method's other seeds; anything else as it is."""
    same = [one.result for one in (shown, *of_others) if one.name == shown.name]
    matrices = [result for result in same if isinstance(result, Matrix)]
    summed = sum_of_confusions(matrices) if 1 < len(matrices) == len(same) else None
    return shown if summed is None else replace(shown, title=f"{shown.title}, all seeds", result=summed)


def _common(found: dict[str, tuple[DiagnosticResult, ...]]) -> tuple[DiagnosticResult, ...]:
    by_name: dict[str, list[DiagnosticResult]] = {}
    for shown in found.values():
        for one in shown:
            by_name.setdefault(one.name, []).append(one)
    return tuple(ones[0] for ones in by_name.values() if len(ones) > 1 and all(one == ones[0] for one in ones))


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
        figure, name = draw_matrix(found), file_name(found[0][1])
        with matplotlib.rc_context(STYLE):
            write_png(figure, folder / f"{name}.png", dpi=110)
            figure.set_layout_engine("none")
            write_svg(figure, folder / f"{name}.svg")


def matrices_of(diagnostics: StudyDiagnostics) -> dict[str, list[MethodMatrix]]:
    """Every matrix by its diagnostic's name, with the methods that have it."""
    by_name: dict[str, list[MethodMatrix]] = {}
    titled = [("", one) for one in diagnostics.common]
    titled += [(method, one) for method, shown in diagnostics.of_method.items() for one in shown]
    for method, one in titled:
        if isinstance(one.result, Matrix):
            by_name.setdefault(one.name, []).append((method, one, one.result))
    return by_name


def draw_matrix(found: list[MethodMatrix]) -> Figure:
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
