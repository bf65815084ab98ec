"""The table of results as LaTeX, Markdown and plain HTML, for papers, notes and notebooks."""

import math
import re
from collections.abc import Callable
from html import escape as escape_html
from pathlib import Path

from equipoise.lab.evaluation import Interval, Summary, counted, show, signed, with_interval
from equipoise.lab.files import write_text

RULE = (
    "Bold: the best mean of a column, only where it is significantly better (Holm-corrected) than all it is compared "
    "with: for a method {reference} and {single_task}, for each of these two every method."
)
_LATEX = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"Δ": r"$\Delta$", "±": r"$\pm$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "−": "$-$", "–": "--"},
}


def write_paper_tables(summary: Summary, folder: Path) -> tuple[Path, ...]:
    """Write ``results.tex`` (with booktabs) and ``results.md``: means, differences to the plain sum with intervals, Δm.

    Args:
        summary: Of the study.
        folder: The folder of both files.

    Returns:
        The two paths.
    """
    paths = (folder / "results.tex", folder / "results.md")
    for path, make in zip(paths, (latex, markdown), strict=True):
        write_text(path, make(summary))
    return paths


def latex(summary: Summary) -> str:
    """A ``tabular`` whose lines fit any float; names are escaped."""
    head, rows = _table(summary, lambda text: rf"\textbf{{{text}}}", _escape_latex)
    lines = [
        *(f"% {_one_line(note)}" for note in _notes(summary)),  # a new line in a name would end the comment
        rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
        r"\toprule",
        " & ".join(head) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def markdown(summary: Summary) -> str:
    """A table with its notes below."""
    head, rows = _table(summary, lambda text: f"**{text}**", _escape_markdown)
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    notes = "\n".join(map(_escape_markdown, _notes(summary)))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{notes}\n"


def html_table(summary: Summary) -> str:
    """A ``<table>`` without a style of its own, with its notes below, for a notebook."""
    head, rows = _table(summary, lambda text: f"<strong>{text}</strong>", escape_html)
    first = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join(f"<tr><th>{row[0]}</th>{''.join(f'<td>{cell}</td>' for cell in row[1:])}</tr>" for row in rows)
    notes = "".join(f"<p><small>{escape_html(note)}</small></p>" for note in _notes(summary))
    return f"<table><thead><tr>{first}</tr></thead><tbody>{body}</tbody></table>{notes}"


def _notes(summary: Summary) -> list[str]:
    seeds, baselines = len(summary.seeds), summary.baselines
    return [
        f"{summary.title}. Means on the test split over {counted(seeds, 'seed')}; differences to "
        f"{baselines.spoken} are paired by seed, with their 95 % interval by Student's t.",
        *(
            ["Δm: mean relative change against single-task networks in percent, lower is better."]
            * _has_delta_m(summary)
        ),
        RULE.format(reference=baselines.spoken, single_task=baselines.single_task),
    ]


def _has_delta_m(summary: Summary) -> bool:
    return any(row.delta_m is not None for row in summary.rows)


def _table(
    summary: Summary, bold: Callable[[str], str], escape: Callable[[str], str]
) -> tuple[list[str], list[list[str]]]:
    """The escaped cells of the head, and of a row for each method: for each metric its mean and difference, then Δm."""
    head = ["Method"]
    for metric in summary.shown:
        head += [
            f"{metric.task} ({metric.name} {'↑' if metric.higher_is_better else '↓'})",
            f"difference to {summary.baselines.reference}",
        ]
    head += ["Δm in %"] * _has_delta_m(summary)
    rows = []
    for row in summary.rows:
        cells = [escape(row.method)]
        for metric in summary.shown:
            score = row.score(metric.task)
            mean = escape(show(score.mean))
            cells.append(bold(mean) if row.method == best(summary, metric.task) else mean)
            cells.append(escape(_interval(score.to_sum.interval if score.to_sum else None, show)))
        if _has_delta_m(summary):
            cells.append(escape(_interval(row.delta_m, "{:.2f}".format)))
        rows.append(cells)
    for name, scores in summary.shown_baselines.items():
        values = [cell for metric in summary.shown for cell in (show(scores.get(metric.task, math.nan)), "–")]
        rows.append([escape(cell) for cell in (name, *values, *["–"] * _has_delta_m(summary))])
    return [escape(name) for name in head], rows


def best(summary: Summary, task: str) -> str | None:
    """The method whose mean is bold for a task, by ``RULE``; None where no mean is."""
    metric = next(metric for metric in summary.shown if metric.task == task)
    means = {row.method: row.score(task).mean for row in summary.rows}
    finite = [method for method in means if math.isfinite(means[method])]
    if not finite:
        return None
    best_mean = (max if metric.higher_is_better else min)(finite, key=means.__getitem__)
    wins, baselines = [], summary.baselines  # whether the method of the best mean is better, by comparison
    for row in summary.rows:
        score = row.score(task)
        comparisons = ((score.to_sum, baselines.reference), (score.to_single_task, baselines.single_task))
        for comparison, baseline in comparisons:
            if comparison is not None and row.method == best_mean:
                wins.append(comparison.verdict == "better")
            elif comparison is not None and baseline == best_mean:
                wins.append(comparison.verdict == "worse")
    return best_mean if wins and all(wins) else None


def _interval(interval: Interval | None, form: Callable[[float], str]) -> str:
    """``+mean [+low, +high]``; a dash without a mean, the mean alone without an interval (one seed)."""
    if interval is None or math.isnan(interval.mean):
        return "–"
    return with_interval(interval, lambda value: signed(value, form).replace("-", "−"))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _escape_latex(text: str) -> str:
    line = "".join(_LATEX.get(letter, letter) for letter in _one_line(text))
    return f"{{}}{line}" if line.startswith(("[", "*")) else line  # after \\ these would be its argument


def _escape_markdown(text: str) -> str:
    return re.sub(r"([\\|*_`<>]|\](?=[(\[]))", r"\\\1", _one_line(text))  # ]( and ][ would make a link
