"""Charts as plotly traces and layouts, without colours: the page's script paints them for light or dark."""

import math
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from equipoise.lab.reports.chart import ARROWS, Chart, Panel, Series, log_ticks
from equipoise.lab.reports.palette import Look

ROW_HEIGHT = 30  # pixels
MOST_TICKS = 8
BAR_THICKNESS = 0.55  # of a row


def specs(chart: Chart, look: Mapping[str, Look]) -> list[dict[str, Any]]:
    """One ``{"data": traces, "layout": layout}`` for each panel; a trace's ``meta`` is what the script paints by."""
    return [
        {"data": [_trace(s, look[s.method]) for s in panel.series], "layout": _layout(panel)} for panel in chart.panels
    ]


def _trace(series: Series, look: Look) -> dict[str, Any]:
    trace: dict[str, Any] = {
        "type": "scatter",
        "meta": {"method": series.method, "hollow": series.hollow},
        "x": _rounded(series.x),
        "y": _rounded(series.y),
        "hovertext": [_safe(text) for text in series.hover],
        "hovertemplate": f"{_safe(series.what)}<br>%{{hovertext}}<extra></extra>",
        "opacity": 1.0 if series.strong else 0.55,
    }
    if series.kind == "line":
        trace["mode"] = "lines+markers" if series.strong and not series.dotted else "lines"
        trace["line"] = {
            "width": 2 if series.strong else 1,
            "dash": "dot" if series.dotted else "solid",
        }
        trace["marker"] = {"symbol": look.plotly_mark, "size": 6, "maxdisplayed": 12}
        trace["hovertemplate"] = f"{_safe(series.what)}<br>epoch %{{x}}: %{{y:.4g}}<br>%{{hovertext}}<extra></extra>"
        if not series.strong:
            trace["opacity"] = 0.3
    elif series.kind == "points":
        trace["mode"] = "markers"
        # a faint mark has no rim that would eat it up; a hollow one is its rim
        rim = 1.5 if series.hollow else 1.0 if series.strong else 0.0
        trace["marker"] = {"symbol": look.plotly_mark, "size": _size(series, look), "line": {"width": rim}}
    elif series.kind == "interval":
        trace["mode"] = "markers"
        trace["marker"] = {"symbol": look.plotly_mark, "size": 12, "line": {"width": 2}}
        trace["error_x"] = {
            "type": "data",
            "symmetric": False,
            "array": _rounded(h - (m or 0.0) for m, h in zip(series.x, series.high, strict=True)),
            "arrayminus": _rounded((m or 0.0) - low for m, low in zip(series.x, series.low, strict=True)),
            "thickness": 2,
            "width": 5,
        }
    else:
        trace |= {"type": "bar", "orientation": "h", "width": BAR_THICKNESS, "opacity": 0.75}
    return trace


def _safe(text: str) -> str:
    """Plotly reads some markup, and variables after a percent sign."""
    return escape(text).replace("%", "&#37;").replace("\n", "<br>")


def _size(series: Series, look: Look) -> int:
    pointed = 3 if look.plotly_mark in ("triangle-up", "triangle-down", "star") else 0  # they look smaller
    return (7 if not series.strong else 9 if series.hollow else 12) + pointed


def _layout(panel: Panel) -> dict[str, Any]:
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": _safe(panel.x_title)}, "zeroline": panel.zero == "x"},
        "yaxis": {"title": {"text": _safe(panel.y_title)}, "zeroline": panel.zero == "y"},
        "height": 328,
    }
    if panel.epochs:
        last = max(x for series in panel.series for x in series.x if x is not None)
        layout["xaxis"]["dtick"] = math.ceil(last / MOST_TICKS)
    if panel.zero == "x":
        layout["xaxis"]["range"] = _around_zero(panel)
    if panel.rows:
        count = len(panel.rows)
        layout["height"] = 108 + ROW_HEIGHT * count
        layout["yaxis"] |= {
            "tickvals": list(range(count)),
            "ticktext": [_safe(row) for row in panel.rows],
            "range": [count - 0.5, -0.5],
            "fixedrange": True,
        }
    if panel.y_range:
        layout["yaxis"]["range"] = list(panel.y_range)
    if panel.y_range and panel.log_y:
        ticks = log_ticks(*panel.y_range)
        layout["yaxis"] |= {
            "type": "log",
            "range": [math.log10(end) for end in panel.y_range],
            "tickvals": ticks,
            "ticktext": [f"{tick:g}" for tick in ticks],
        }
    if panel.better:
        right, up = panel.better
        layout["annotations"] = [
            {
                "text": f"better {ARROWS[panel.better]}",
                "xref": "paper",
                "yref": "paper",
                "x": (1 + right) / 2,
                "y": (1 + up) / 2,
                "showarrow": False,
            }
        ]
    return layout


def _around_zero(panel: Panel) -> list[float]:
    """Both ends of all intervals and zero, with room for the marks, so that the line at zero is seen."""
    ends = [0.0, *(end for series in panel.series for end in (*series.low, *series.high))]
    low, high = min(ends), max(ends)
    room = 0.08 * (high - low) or 1.0
    return [low - room, high + room]


def _rounded(values: Iterable[float | None]) -> list[float | None]:
    """Six significant digits: what a screen shows, at half the bytes."""
    return [None if value is None or not math.isfinite(value) else float(f"{value:.6g}") for value in values]
