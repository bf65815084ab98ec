"""Pieces of the page's tables: a number with its exact value behind it, a method's name with its mark."""

from collections.abc import Iterable
from html import escape

from equipoise.lab.reports.palette import Look

NOTHING, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"


def mark(look: Look) -> str:
    """The method's mark, in its colour for light or dark."""
    return (
        f'<svg class="mark" viewBox="0 0 16 16" aria-hidden="true" style="--light:{look.light};--dark:{look.dark}">'
        f"{look.svg_mark}</svg>"
    )


def table(name: str, head: Iterable[str], body: Iterable[str], style: str = "") -> str:
    """A table from its rows, in a box that scrolls sideways by itself."""
    box = f'<div class="table" tabindex="0" role="region" aria-label="{escape(name)}">'
    return f'{box}<table class="{style}"><thead>{"".join(head)}</thead><tbody>{"".join(body)}</tbody></table></div>'


def name(method: str, look: Look) -> str:
    """The head of a method's row."""
    return f'<th scope="row">{mark(look)} {escape(method)}</th>'


def row(*cells: str) -> str:
    """A row of finished cells."""
    return f"<tr>{''.join(cells)}</tr>"


def data(value: float, text: str) -> str:
    """What a person reads, with the exact number behind it."""
    return f'<data value="{value!r}">{NOTHING if value != value else text.replace("-", MINUS)}</data>'


def cell(value: float | None, form: str, after: str = "") -> str:
    """A cell with a number, or a dash for None."""
    return f"<td>{NOTHING if value is None else data(value, f'{value:{form}}')}{after}</td>"
