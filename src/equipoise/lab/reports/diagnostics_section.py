"""The page's section of diagnostics: confusions, scores of classes, overlaps and samples, one method at a time."""

import base64
from collections.abc import Sequence
from html import escape

from equipoise.lab.diagnostics import DiagnosticResult, Gallery, Matrix, Picture, ScoreTable
from equipoise.lab.evaluation import SINGLE_TASK
from equipoise.lab.reports.cells import cell, row, table
from equipoise.lab.reports.diagnostic_figures import file_name
from equipoise.lab.reports.study_diagnostics import StudyDiagnostics

MOST_COUNTS = 12  # columns; a wider matrix shows shares alone
TITLE = "Predictions"


def diagnostics_section(diagnostics: StudyDiagnostics | None, made_of: str = "") -> str:
    """The section, or the sentence that says why there is nothing in it; ``made_of`` is no best epoch of a study."""
    head = f'<section id="diagnostics"><h2>{TITLE}</h2>'
    if diagnostics is None:
        return f'{head}<p class="missing">Nothing to show: the runs of this study have no diagnostics.</p></section>'
    best = (
        f"the weights of the best epoch of seed {diagnostics.seed} on the validation split; the test split is read "
        "for scores alone"
    )
    note = f"Made with {made_of or best}. One seed and single samples explain; they decide nothing."
    methods = list(diagnostics.of_method)
    first = next((method for method in methods if method != SINGLE_TASK), methods[0])
    options = "".join(
        f"<option{' selected' if method == first else ''}>{escape(method)}</option>" for method in methods
    )
    shown = "".join(
        f'<div class="shown"{"" if method == first else " hidden"}>{_all(of_it, method)}</div>'
        for method, of_it in diagnostics.of_method.items()
    )
    common = f"<h3>Whatever the method</h3>{_all(diagnostics.common, '')}" if diagnostics.common else ""
    return (
        f'{head}<p class="note">{escape(note)}</p>{common}<p><label for="shown-method">Method</label> '
        f'<select id="shown-method">{options}</select></p>{shown}</section>'
    )


def _all(shown: Sequence[DiagnosticResult], method: str) -> str:
    return "".join(_diagnostic(one, method) for one in shown)


def _diagnostic(shown: DiagnosticResult, method: str) -> str:
    of = f", {method}" if method else ""
    result, name, head = shown.result, f"{shown.title}{of}", f"<h4>{escape(shown.title)}</h4>"
    if isinstance(result, str):
        return f'{head}<p class="missing">Not shown: {escape(result)}.</p>'
    note = f'<p class="note">{escape(result.note)}</p>' if result.note else ""
    if isinstance(result, Gallery):
        return f"{head}{note}{_gallery(result)}"
    if isinstance(result, ScoreTable):
        return f"{head}{note}{_table(result, name)}"
    links = " · ".join(f'<a href="figures/{file_name(shown)}.{kind}">{kind.upper()}</a>' for kind in ("png", "svg"))
    return f'{head}{note}{_matrix(result, name)}<p class="links">As a figure, for all methods: {links}</p>'


def _matrix(matrix: Matrix, name: str) -> str:
    counted = matrix.counts and len(matrix.columns) <= MOST_COUNTS
    head = [f'<th class="left">{escape(matrix.row_title)} ↓ {escape(matrix.column_title)} →</th>']
    head += [f'<th scope="col">{escape(column)}</th>' for column in matrix.columns]
    body = []
    for i, title in enumerate(matrix.rows):
        cells = [f'<th scope="row">{escape(title)}</th>']
        for k, share in enumerate(matrix.shares[i]):
            if share is None:
                cells.append('<td class="same">–</td>')
            else:
                count = f"<small>{matrix.counts[i][k]:d}</small>" if counted else ""
                cells.append(f'<td style="--s:{100 * share:.0f}%">{100 * share:.0f} %{count}</td>')
        body.append(row(*cells))
    return table(name, (row(*head),), body, "matrix")


def _table(result: ScoreTable, name: str) -> str:
    first, *others = result.columns
    head = row(f'<th class="left">{escape(first)}</th>', *(f"<th>{escape(column)}</th>" for column in others))
    body = [row(f'<th scope="row">{escape(str(first))}</th>', *map(_cell, rest)) for first, *rest in result.rows]
    return table(name, (head,), body)


def _cell(value: str | int | float | None) -> str:
    if isinstance(value, str):
        return f'<td class="left">{escape(value)}</td>'
    return cell(value, "d" if isinstance(value, int) else ".3f")


def _gallery(gallery: Gallery) -> str:
    cards = []
    for card in gallery.cards:
        pictures = "".join(map(_picture, card.pictures))
        first, *others = card.lines
        lines = "".join(f"<p>{escape(line)}</p>" for line in others)
        cards.append(f'<li><p class="title">{escape(first)}</p>{pictures}{lines}</li>')
    return f'<ul class="gallery">{"".join(cards)}</ul>'


def _picture(picture: Picture) -> str:
    caption, source = escape(picture.caption), base64.b64encode(picture.png).decode()
    return (
        f'<figure><img src="data:image/png;base64,{source}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'
    )
