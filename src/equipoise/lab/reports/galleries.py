"""Samples of a run as a figure: a row for each, its words and its pictures side by side."""

import io
import textwrap
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from equipoise.lab.diagnostics import Card, DiagnosticResult, Gallery
from equipoise.lab.reports.diagnostics import StudyDiagnostics
from equipoise.lab.reports.static import STYLE

MOST_CARDS, MOST_PICTURES = 6, 8  # in a figure, in a row of it
SIDE, WORDS, LETTERS = 1.5, 2.8, 40  # inches of a picture's width, of the words beside them, letters of a line
TITLE, LINE = 0.3, 0.14  # inches above a picture, of a line of words

Row = tuple[list[str], list[tuple[Any, str]]]  # lines, pixels and captions
MethodGallery = tuple[str, DiagnosticResult, Gallery]  # method, diagnostic, its result


def galleries_of(diagnostics: StudyDiagnostics) -> dict[str, MethodGallery]:
    """Every gallery that has pictures by its diagnostic's name, of the method that is shown first."""
    found: dict[str, MethodGallery] = {}
    for method in dict.fromkeys((diagnostics.first, *diagnostics.of_method)):
        for one in (*diagnostics.common, *diagnostics.of_method[method]):
            if isinstance(one.result, Gallery) and any(card.pictures for card in one.result.cards):
                found.setdefault(one.name, (method, one, one.result))
    return found


def draw_gallery(found: MethodGallery) -> Figure:
    """The figure of a gallery: the first of its samples."""
    method, diagnostic, gallery = found
    rows = [row for card in gallery.cards[:MOST_CARDS] for row in _rows(card)]
    columns = max(len(pictures) for _, pictures in rows)
    heights = [
        max(LINE * (1 + len(lines)), TITLE + SIDE * max((len(one) / one.shape[1] for one, _ in pictures), default=0.0))
        for lines, pictures in rows
    ]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WORDS + columns * SIDE, sum(heights) + 0.4), layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(f"{diagnostic.title} ({method})", fontsize=11)
        widths = [WORDS, *[SIDE] * columns]
        grid = figure.subplots(len(rows), 1 + columns, squeeze=False, width_ratios=widths, height_ratios=heights)
        for axes, (lines, pictures) in zip(grid, rows, strict=True):
            for one in axes:
                one.set_axis_off()
            axes[0].text(0.0, 1.0, "\n".join(lines), va="top", fontsize=7)
            for one, (pixels, caption) in zip(axes[1:], pictures, strict=False):  # the last places may stay empty
                one.imshow(pixels)
                one.set_title(caption, fontsize=7, fontweight="normal")
    return figure


def _rows(card: Card) -> list[Row]:
    """The words of a card beside the first of its pictures, and further rows of pictures."""
    lines = [part for line in card.lines for part in textwrap.wrap(line, LETTERS)]
    pictures = [(imread(io.BytesIO(one.png)), one.caption) for one in card.pictures]
    rows: list[Row] = [(lines, pictures[:MOST_PICTURES])]
    for first in range(MOST_PICTURES, len(pictures), MOST_PICTURES):
        rows.append(([], pictures[first : first + MOST_PICTURES]))
    return rows
