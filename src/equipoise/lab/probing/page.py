"""Gradient diagnostics as one HTML file."""

from pathlib import Path

from equipoise.lab.probing.probe import Probe
from equipoise.lab.probing.words import give_conflict, give_cost, give_headline, to_paste, when_of
from equipoise.lab.reports.html import render, render_page, save_page


def write_page(probe: Probe, path: Path) -> None:
    """Write the page, whole or not at all; its folder is made where there is none."""
    page = render_page("probe.html", title=f"Probe: {probe.title}", probe=probe, **_told(probe))
    save_page(path, page)


def render_sections(probe: Probe) -> str:
    """All that the page shows below its head, as HTML without a style of its own."""
    return render("probe_sections.html", probe=probe, **_told(probe))


def _told(probe: Probe) -> dict[str, object]:
    return {
        "sentences": (give_headline(probe), give_conflict(probe), give_cost(probe), probe.suggestion.reason),
        "code": to_paste(probe),
        "when_of": when_of,
    }
