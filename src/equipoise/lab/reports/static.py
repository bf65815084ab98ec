"""Charts as PNG and SVG files; the same study gives the same bytes."""

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from equipoise.lab.files import replace_file
from equipoise.lab.reports.chart import ARROWS, Chart, Panel, Series, log_ticks
from equipoise.lab.reports.palette import Look

COLUMNS = 3
MOST_PANELS = 24  # in a file: eight rows fill a large page, and each panel takes time
PANEL_WIDTH, PANEL_HEIGHT, ROW_HEIGHT = 4.2, 3.1, 0.28  # inches
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "equipoise",
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e6ea",
    "axes.edgecolor": "#8a919c",
    "axes.titleweight": "bold",
}


def save(chart: Chart, look: Mapping[str, Look], folder: Path) -> tuple[Path, ...]:
    """Write ``folder/<name>.png`` and ``.svg``, of many panels the first; a chart without any leaves none."""
    paths = (folder / f"{chart.name}.png", folder / f"{chart.name}.svg")
    if not chart.panels:
        for path in paths:
            path.unlink(missing_ok=True)
        return ()
    with matplotlib.rc_context(STYLE):
        figure = _figure(chart, look)
        layout = figure.get_layout_engine()
        assert layout is not None
        layout.execute(figure)
        figure.set_layout_engine(None)  # found once: with an engine, each file takes a drawing more than it shows
        write_png(figure, paths[0], dpi=150)
        write_svg(figure, paths[1])
    return paths


def draw(chart: Chart, look: Mapping[str, Look]) -> Figure:
    """The figure of a chart, of many panels the first.

    Raises:
        ValueError: There is nothing to draw; the message says why.
    """
    if not chart.panels:
        raise ValueError(chart.missing)
    with matplotlib.rc_context(STYLE):
        return _figure(chart, look)


def draw_svg(chart: Chart, look: Mapping[str, Look]) -> str:
    """The same as an ``svg`` element; the same chart gives the same text."""
    file = io.BytesIO()
    figure = draw(chart, look)
    with matplotlib.rc_context(STYLE):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return f"<svg{file.getvalue().decode('utf-8').partition('<svg')[2]}"


def write_png(figure: Figure, path: Path, dpi: int) -> None:
    """The figure as a PNG file, whole or not at all."""
    replace_file(path, lambda file: figure.savefig(file, format="png", dpi=dpi, metadata={"Software": None}))


def write_svg(figure: Figure, path: Path) -> None:
    """The figure as an SVG file, whole or not at all."""
    replace_file(path, lambda file: figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None}))


def some_of(chart: Chart) -> str:
    """What a file says of the panels that it has no room for; empty where it has all."""
    count = len(chart.panels)
    return f"the first {MOST_PANELS} of {count} panels; report.html has all" if count > MOST_PANELS else ""


def _figure(chart: Chart, look: Mapping[str, Look]) -> Figure:
    panels = chart.panels[:MOST_PANELS]
    columns = 2 if len(panels) == 4 else min(COLUMNS, len(panels))
    lines = math.ceil(len(panels) / columns)
    most_rows = max(len(panel.rows) for panel in panels)
    height = 1.1 + ROW_HEIGHT * most_rows if most_rows else PANEL_HEIGHT
    width = max(PANEL_WIDTH * columns, 6.5)
    figure = Figure(figsize=(width, height * lines + 1.0), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle("\n".join(filter(None, (chart.title, some_of(chart)))), fontsize=12)
    for place, panel in enumerate(panels):
        _draw(figure.add_subplot(lines, columns, place + 1), panel, look)
    if not most_rows:  # rows name their methods themselves
        shown = [m for m in look if any(s.method == m for panel in panels for s in panel.series)]
        handles = [
            Line2D([], [], color=look[m].light, marker=look[m].matplotlib_mark, label=look[m].label) for m in shown
        ]
        if any(s.dotted for panel in panels for s in panel.series):
            handles += [
                Line2D([], [], color="#444444", label="validation"),
                Line2D([], [], color="#444444", linestyle=":", label="training"),
                Line2D([], [], color="#444444", marker="o", fillstyle="none", linestyle="", label="best epoch"),
            ]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), int(width)), frameon=False)
    return figure


def _draw(axes: Axes, panel: Panel, look: Mapping[str, Look]) -> None:
    axes.set_title(panel.title, fontsize=10)
    axes.set_xlabel(panel.x_title)
    axes.set_ylabel(panel.y_title)
    for layer, series in enumerate(panel.series):
        _mark(axes, series, look[series.method], layer + 3)
    if panel.zero == "x":
        axes.axvline(0.0, color="#444444", linewidth=1, zorder=2)
    elif panel.zero == "y":
        axes.axhline(0.0, color="#444444", linewidth=1, zorder=2)
    if panel.epochs:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    if panel.y_range:
        axes.set_yscale("log" if panel.log_y else "linear")
        axes.set_ylim(*panel.y_range)
    if panel.y_range and panel.log_y:
        ticks = log_ticks(*panel.y_range)
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    if panel.rows:
        axes.set_yticks(range(len(panel.rows)), panel.rows)
        axes.set_ylim(len(panel.rows) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        axes.locator_params(axis="x", nbins=5)
    if panel.better:
        right, up = panel.better
        axes.margins(0.15)
        axes.text(
            (1 + 0.97 * right) / 2,
            (1 + 0.97 * up) / 2,
            f"better {ARROWS[panel.better]}",
            transform=axes.transAxes,
            ha="right" if right > 0 else "left",
            va="top" if up > 0 else "bottom",
            color="#586170",
        )


def _mark(axes: Axes, series: Series, look: Look, layer: int) -> None:
    x = [math.nan if value is None else value for value in series.x]
    y = [math.nan if value is None else value for value in series.y]
    face = "white" if series.hollow else look.light
    if series.kind == "line":
        axes.plot(
            x,
            y,
            color=look.light,
            linestyle=":" if series.dotted else "-",
            linewidth=1.5 if series.strong else 0.7,
            alpha=1.0 if series.strong else 0.3,
            marker=look.matplotlib_mark if series.strong and not series.dotted else None,
            markersize=3.5,
            markevery=max(1, len(x) // 12),
            zorder=layer,
        )
    elif series.kind == "points":
        axes.plot(
            x,
            y,
            linestyle="",
            marker=look.matplotlib_mark,
            markersize=(6 if series.hollow else 9) if series.strong else 5,
            color=look.light,
            markerfacecolor=face,
            alpha=1.0 if series.strong else 0.45,
            zorder=layer,
        )
    elif series.kind == "interval":
        reach = [
            [m - a for m, a in zip(x, series.low, strict=True)],
            [b - m for m, b in zip(x, series.high, strict=True)],
        ]
        axes.errorbar(
            x,
            y,
            xerr=reach,
            linestyle="",
            color=look.light,
            marker=look.matplotlib_mark,
            markerfacecolor=face,
            markersize=8,
            capsize=3,
            zorder=layer,
        )
    else:
        axes.barh(y, x, height=0.55, color=look.light, alpha=0.75, zorder=layer)
