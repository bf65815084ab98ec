"""The page of what the doctor saw of a script: its text, and how the gradients went over the steps."""

import math
from collections.abc import Sequence
from pathlib import Path

from equipoise.lab.reports.chart import Chart, Panel, Series
from equipoise.lab.reports.html import render_page, save_page
from equipoise.lab.reports.palette import DARK, LIGHT, MARKS, Look
from equipoise.lab.reports.static import draw_svg
from equipoise.watching.measures import flow_of, norm_of
from equipoise.watching.page import looks_by_site, page_of
from equipoise.watching.seen import PassSeen, ScriptSeen


def write_script_page(processes: Sequence[ScriptSeen], page: Path) -> Path:
    """Write the page of all processes; of ranks that did the same, the first's figures.

    Raises:
        ValueError: ``page`` is a folder, or its folder cannot be made.
    """
    charts = [_chart(site, looks) for site, looks in looks_by_site(processes).items()]
    pictures = [(chart.title, draw_svg(chart, _looks(chart))) for chart in charts if chart.panels]
    text = page_of(processes)
    return save_page(page, render_page("script.html", title="Losses of a script", text=text, pictures=pictures))


def _chart(site: str, looks: Sequence[PassSeen]) -> Chart:
    names = list(dict.fromkeys(part.name for look in looks for part in look.parts))
    by_loss = [
        _line(
            name, [(look.step, norm_of(look, k)) for look in looks for k, p in enumerate(look.parts) if p.name == name]
        )
        for name in names
    ]
    by_module = [
        _line(f"step {look.step}", [(place, flow_of(layer)) for place, layer in enumerate(look.layers, 1)])
        for look in looks
    ]
    panels = (_panel("By loss", "step", by_loss), _panel("Whole, by module", "module, in the model's order", by_module))
    return Chart("gradients", f"Gradient norms of {site}", "", tuple(panel for panel in panels if panel is not None))


def _line(name: str, points: Sequence[tuple[int, float]]) -> Series:
    known = [(float(x), y) for x, y in points if 0 < y < math.inf]
    return Series("line", name, tuple(x for x, _ in known), tuple(y for _, y in known))


def _panel(title: str, x_title: str, series: Sequence[Series]) -> Panel | None:
    values = [y for one in series for y in one.y if y is not None]
    if not values:
        return None
    y_range = min(values) / 1.5, max(values) * 1.5
    return Panel(title, x_title, "norm", tuple(series), y_range=y_range, log_y=True, epochs=True)  # whole numbers


def _looks(chart: Chart) -> dict[str, Look]:
    names = dict.fromkeys(series.method for panel in chart.panels for series in panel.series)
    return {
        name: Look(name, LIGHT[i % len(LIGHT)], DARK[i % len(DARK)], *MARKS[i % len(MARKS)])
        for i, name in enumerate(names)
    }
