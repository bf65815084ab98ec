"""What a figure shows, free of how it is drawn: the page and the image files draw the same charts."""

import math
from dataclasses import dataclass
from typing import Literal

ARROWS = {(1, 1): "↗", (-1, 1): "↖", (1, -1): "↘", (-1, -1): "↙"}  # towards a panel's better corner

Kind = Literal["line", "points", "interval", "bar"]


@dataclass(frozen=True)
class Series:
    """Marks of one method.

    Args:
        kind: ``line``, ``points``, ``interval`` (mean with low and high, along x) or ``bar`` (along x).
        method: whose look it has.
        x: positions; None breaks a line.
        y: heights of lines and points; the row number for intervals and bars, 0 at the top.
        strong: drawn to be read first (a mean), or faint behind it (a seed).
        dotted: for lines.
        hollow: for marks.
        low: lower ends of the intervals.
        high: upper ends of the intervals.
        what: the first line of what a pointer shows; plain text, as all texts here.
        hover: the lines below it, one text for each mark.
    """

    kind: Kind
    method: str
    x: tuple[float | None, ...]
    y: tuple[float | None, ...]
    strong: bool = True
    dotted: bool = False
    hollow: bool = False
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    what: str = ""
    hover: tuple[str, ...] = ()


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Args:
        title: what this panel adds to the chart's title.
        x_title: with its unit or direction.
        y_title: the same; empty where ``rows`` name themselves.
        series: later ones lie on top.
        rows: labels of the rows from the top, for intervals and bars.
        y_range: fixed range, or None to fit the data.
        log_y: logarithmic height; needs ``y_range``.
        epochs: x counts epochs, so that only whole numbers are ticks.
        zero: the axis whose zero means "no difference" and is drawn: "x", "y" or none.
        better: the corner where both axes are at their best, as (x, y) of 1 or -1.
    """

    title: str
    x_title: str
    y_title: str
    series: tuple[Series, ...]
    rows: tuple[str, ...] = ()
    y_range: tuple[float, float] | None = None
    log_y: bool = False
    epochs: bool = False
    zero: Literal["x", "y", ""] = ""
    better: tuple[int, int] | None = None


@dataclass(frozen=True)
class Chart:
    """A figure with one or more panels, or the sentence that says why there is none.

    Args:
        name: file name and anchor.
        title: heading.
        caption: how to read it, plain text.
        panels: empty where there is nothing to draw.
        missing: the sentence shown in place of an absent figure.
        notes: what was left out and why.
    """

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    missing: str = ""
    notes: tuple[str, ...] = ()


def log_ticks(low: float, high: float) -> list[float]:
    """Ticks of a logarithmic axis from low to high: 1, 2, 5 in each decade; powers of ten where those are many.

    >>> log_ticks(0.3, 6.0), log_ticks(0.5, 2000.0)
    ([0.5, 1.0, 2.0, 5.0], [1.0, 10.0, 100.0, 1000.0])
    """
    steps = (1, 2, 5) if high < 200 * low else (1,)
    decades = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    every = 1 + len(decades) // 8
    ticks = [float(f"{step}e{decade}") for decade in decades[::every] for step in steps]
    return [tick for tick in ticks if low <= tick <= high]
