"""A chart's section of a page."""

from html import escape

from equipoise.lab.reports.chart import Chart, Panel

MOST_PANELS = 9  # a chart with more shows one at a time


def figure_section(chart: Chart, below: str = "") -> str:
    """The section of a chart, with places for the page's script to draw its panels in; ``below`` is HTML."""
    head = f'<section id="{chart.name}"><h2>{escape(chart.title)}</h2>'
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in chart.notes)
    if not chart.panels:
        return f'{head}<p class="missing">{escape(chart.missing)}</p>{notes}</section>'
    choice = ""
    one_at_a_time = len(chart.panels) > MOST_PANELS
    if one_at_a_time:
        options = "".join(f"<option>{escape(panel.title)}</option>" for panel in chart.panels)
        choice = (
            f'<select data-chart="{chart.name}" aria-label="Which panel of {escape(chart.title)}">{options}</select>'
        )
    panels = "".join(
        f'<div class="panel"{" hidden" if one_at_a_time and place else ""}><h4>{escape(panel.title)}</h4>'
        f'<div class="plot" id="{chart.name}-{place}" role="img" aria-label="{escape(_spoken(chart, panel))}">'
        "</div></div>"
        for place, panel in enumerate(chart.panels)
    )
    return (
        f"{head}<figure><figcaption>{escape(chart.caption)}</figcaption>{choice}"
        f'<div class="panels{" wide" if len(chart.panels) in (1, 2, 4) else ""}">{panels}</div></figure>{notes}{below}'
        "</section>"
    )


def _spoken(chart: Chart, panel: Panel) -> str:
    axes = f"{panel.y_title} against {panel.x_title}" if panel.y_title else panel.x_title
    return f"{chart.title}, {panel.title}: {axes}"
