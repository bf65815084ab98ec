"""HTML pages from Jinja2 templates: each one file that loads nothing, its text escaped unless it is ``Markup``."""

import base64
import gzip
import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from equipoise.lab.diagnostics import Gallery, ScoreTable
from equipoise.lab.evaluation import show, signed
from equipoise.lab.files import make_folder, write_text
from equipoise.lab.reports.chart import Chart, Panel
from equipoise.lab.reports.diagnostics import file_name
from equipoise.lab.reports.interactive import specs
from equipoise.lab.reports.palette import Look
from equipoise.lab.reports.static import some_of

NOTHING, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
MOST_PANELS = 9  # a chart with more shows one at a time
FORMATS: Mapping[str, Callable[[float], str]] = {
    "show": show,
    "signed": signed,
    "percent": lambda value: f"{value:+.2f} %",
}


def render(template: str, **values: Any) -> str:
    """The text of a template from ``templates/``, filled in.

    Raises:
        jinja2.UndefinedError: If the template needs a value that is not given.
    """
    return environment().get_template(template).render(values)


def render_page(template: str, **values: Any) -> str:
    """The text of a page without scripts; its policy lets the browser run none."""
    return render(template, style=_resource("page.css"), policy=content_security_policy(), figures=None, **values)


def save_page(page: Path, text: str) -> Path:
    """Write a page, and make its folder where there is none.

    Returns:
        The path of the page.

    Raises:
        ValueError: It is a folder, or its folder cannot be made.
    """
    if page.is_dir():
        raise ValueError(f"{page} is a folder: choose a file")
    make_folder(page.parent)
    write_text(page, text)
    return page


def link_from(page: Path, target: Path) -> str:
    """The URL of a file or folder in a page: relative to it, unless they are on two drives of Windows."""
    try:
        return quote(os.path.relpath(target, page.parent).replace(os.sep, "/"))
    except ValueError:
        return target.resolve().as_uri()


def render_with_figures(template: str, charts: Sequence[Chart], look: Mapping[str, Look], **values: Any) -> str:
    """The text of a page whose figures a reader can zoom and filter, by Plotly.

    Args:
        template: In ``templates/``.
        charts: What the figures show.
        look: The colours and marks of the methods in them, by name.
        values: For the template.
    """
    script, plotly = f"\n{_resource('page.js')}", get_plotlyjs()
    figures = {
        "panels": {f"{chart.name}-{place}": spec for chart in charts for place, spec in enumerate(specs(chart, look))},
        "looks": {method: {"light": each.light, "dark": each.dark} for method, each in look.items()},
    }
    return render(
        template,
        style=_resource("page.css"),
        policy=content_security_policy(script, plotly),
        figures=_json(figures),
        plotly=base64.b64encode(gzip.compress(plotly.encode("utf-8"), mtime=0)).decode("ascii"),  # a third of its size
        script=Markup(script),
        charts=charts,
        look=look,
        **values,
    )


def content_security_policy(*scripts: str) -> Markup:
    """A Content-Security-Policy that allows these inline scripts, by their hashes, and no other.

    Args:
        scripts: The text of each, as it stands in its element.
    """
    hashes = [base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii") for text in scripts]
    allowed = " ".join(f"'sha256-{one}'" for one in hashes) or "'none'"
    return Markup(
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def data_element(value: float | None, form: str = "show") -> Markup:
    """A ``<data>`` element: the number as people read it, with its exact value; a dash for None and NaN.

    Args:
        value: The number.
        form: A key of ``FORMATS``, or a format specification of Python.

    >>> data_element(-0.5, "signed"), data_element(None)
    (Markup('<data value="-0.5">−0.5000</data>'), Markup('–'))
    """
    if value is None:
        return Markup(NOTHING)
    text = FORMATS[form](value) if form in FORMATS else f"{value:{form}}"
    text = NOTHING if math.isnan(value) else text.replace("-", MINUS)
    return Markup('<data value="{}">{}</data>').format(repr(value), text)


@cache
def environment() -> Environment:
    """Jinja2's environment, with the filters, tests and globals that the templates use; made once."""
    made = Environment(
        loader=PackageLoader("equipoise.lab.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"data": data_element, "base64": lambda png: base64.b64encode(png).decode("ascii")}
    made.tests |= {"nan": math.isnan}
    made.tests |= {
        "gallery": lambda one: isinstance(one, Gallery),
        "score_table": lambda one: isinstance(one, ScoreTable),
    }
    made.globals |= {"some_of": some_of, "aria_label": _aria_label, "figure_name": file_name}
    made.globals |= {"most_panels": MOST_PANELS, "nothing": NOTHING}
    return made


def _aria_label(chart: Chart, panel: Panel) -> str:
    """What a screen reader says of a panel."""
    axes = f"{panel.y_title} against {panel.x_title}" if panel.y_title else panel.x_title
    return f"{chart.title}, {panel.title}: {axes}"


def _resource(name: str) -> Markup:
    """The text of a file of this package, which needs no escaping."""
    return Markup((resources.files("equipoise.lab.reports") / name).read_text(encoding="utf-8"))


def _json(value: Any) -> Markup:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))
