"""What an exhibit gives: numbers in a square, rows of a table, or cards with pictures."""

import io
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Matrix:
    """Shares of one thing by another.

    Args:
        rows: The names of the rows, from the top.
        columns: The names of the columns.
        row_title: What the rows are.
        column_title: What the columns are.
        shares: 0 to 1 [rows][columns]; None where there is nothing to divide by.
        counts: What the shares were made of [rows][columns]; empty where the counts say nothing.
        note: How to read it, plain text.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    row_title: str
    column_title: str
    shares: tuple[tuple[float | None, ...], ...]
    counts: tuple[tuple[int, ...], ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells under names; the first cell of a row names it, None is nothing to say."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float | None, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """A small picture as a PNG file, and in words for those who do not see it."""

    png: bytes
    caption: str

    @classmethod
    def of(cls, pixels: Tensor, caption: str) -> "Picture":
        """From pixels [H, W, 3] or, in grey, [H, W], uint8."""
        from matplotlib.image import imsave  # not on top: a worker without pictures begins half a second sooner

        file = io.BytesIO()
        imsave(file, pixels.numpy(), format="png", cmap="gray", vmin=0, vmax=255)
        return cls(file.getvalue(), caption)


@dataclass(frozen=True)
class Card:
    """One sample: lines of plain text, the first its title, and pictures side by side."""

    lines: tuple[str, ...]
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Gallery:
    """Samples to look at."""

    cards: tuple[Card, ...]
    note: str = ""


Result = Matrix | Table | Gallery


@dataclass(frozen=True)
class Shown:
    """An exhibit of a run, as it was made: its result, or in one line why there is none."""

    name: str
    title: str
    tasks: tuple[str, ...]
    result: Result | str
