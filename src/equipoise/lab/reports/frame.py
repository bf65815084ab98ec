"""The frame of every page: one HTML file with its style, its script, its data and plotly inside."""

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

from plotly.offline import get_plotlyjs

from equipoise.lab.reports.cells import mark
from equipoise.lab.reports.chart import Chart
from equipoise.lab.reports.interactive import specs
from equipoise.lab.reports.palette import Look
from equipoise.lab.reports.policy import policy


def document(title: str, body: str, charts: Sequence[Chart], look: Mapping[str, Look], version: str) -> str:
    """A whole page as text.

    Args:
        title: Of the page, plain text.
        body: HTML, with the figures' places in it.
        charts: What the figures show.
        look: Of the methods in them.
        version: Of the library that the numbers come from.
    """
    figures = {
        "panels": {f"{chart.name}-{place}": spec for chart in charts for place, spec in enumerate(specs(chart, look))},
        "looks": {method: {"light": each.light, "dark": each.dark} for method, each in look.items()},
    }
    script, plotly = f"\n{resource('page.js')}", get_plotlyjs()
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy(script, plotly)}">
<title>{escape(title)}</title>
<style>
{resource("page.css")}</style>
</head>
<body>
{body}
<footer><p>Written by Equipoise {escape(version)}. This file needs no network.</p></footer>
<script id="figures" type="application/json">{_json(figures)}</script>
<script id="plotly" type="text/plain">{_packed(plotly)}</script>
<script>{script}</script>
</body>
</html>
"""


def contents(links: Sequence[tuple[str, str]]) -> str:
    """Links to the sections: anchors and titles."""
    return "<nav>" + "".join(f'<a href="#{name}">{escape(title)}</a>' for name, title in links) + "</nav>"


def legend(look: Mapping[str, Look]) -> str:
    """The bar of names that hides and shows methods in all figures."""
    buttons = "".join(
        f'<button type="button" data-method="{escape(method)}" aria-pressed="true" title="{escape(method)}">'
        f"{mark(each)}{escape(each.label)}</button>"
        for method, each in look.items()
    )
    return (
        '<div class="legend" role="group" aria-label="Methods shown in the figures; double-click shows one alone">'
        f'{buttons}<button type="button" id="all-methods" disabled>Show all</button></div>'
    )


def resource(name: str) -> str:
    """The text of a file beside this one."""
    return (resources.files("equipoise.lab.reports") / name).read_text(encoding="utf-8")


def _packed(script: str) -> str:
    """The script compressed, in base64: a third of its size; page.js unpacks it."""
    return base64.b64encode(gzip.compress(script.encode("utf-8"), mtime=0)).decode("ascii")


def _json(value: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")
