"""A search as one HTML file: the answer, every trial in the trade-off, the best trials."""

import os
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from itertools import combinations
from pathlib import Path
from urllib.parse import quote

from equipoise.lab.data.within import folder_within
from equipoise.lab.files import write_text
from equipoise.lab.reports.cells import cell, row, table
from equipoise.lab.reports.chart import Chart, Panel, Series
from equipoise.lab.reports.palette import looks
from equipoise.lab.reports.policy import policy
from equipoise.lab.reports.static import draw_svg, save
from equipoise.lab.search.choice import front
from equipoise.lab.search.search import Search
from equipoise.lab.search.watch import best

MOST_PAIRS, MOST_ROWS = 6, 20
KINDS = ("trial", "on the front", "the defaults", "chosen")


def write_page(search: Search, title: str, chosen: int, words: Sequence[str], code: str, page: Path) -> None:
    """Write the page, and ``figures/tradeoff.png|svg`` into the search's folder.

    Args:
        search: With a finished trial.
        title: Of the page.
        chosen: The number of the trial that was chosen.
        words: Sentences about it, a paragraph each.
        code: What to paste.
        page: Where.
    """
    figures = folder_within(search.folder, "figures")
    save(tradeoff(search, chosen), looks(KINDS), figures)
    style = (resources.files("equipoise.lab.reports") / "page.css").read_text(encoding="utf-8")
    trials = quote(os.path.relpath(search.folder / "trials.csv", page.parent).replace(os.sep, "/"))
    text = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy()}">
<title>{escape(title)}</title><style>{style} figure svg {{ max-width: 100%; height: auto; background: white; }}</style>
</head><body><header><h1>{escape(title)}</h1></header><main>
{render_sections(search, chosen, words, code)}
<p>All trials are in <a href="{trials}">trials.csv</a>.</p>
</main></body></html>
"""
    write_text(page, text)


def render_sections(search: Search, chosen: int, words: Sequence[str], code: str) -> str:
    """All that the page shows below its head, as HTML without a style of its own; arguments as of ``write_page``."""
    paragraphs = "".join(f"<p>{escape(text)}</p>" for text in words)
    return f"""<section id="answer"><h2>Answer</h2>{paragraphs}<pre><code>{escape(code)}</code></pre></section>
<section id="tradeoff"><h2>All trials</h2><figure role="img" aria-label="Validation metrics of all trials">
{draw_svg(tradeoff(search, chosen), looks(KINDS))}</figure></section>
<section id="trials"><h2>Best trials</h2>{_table(search, chosen)}</section>"""


def tradeoff(search: Search, chosen: int) -> Chart:
    """One task's validation metric against another's, each whole trial a mark; one task alone: against the trial."""
    whole = search.whole
    marks = _kinds(search, chosen)
    names = [f"{objective.task}: {objective.metric}" for objective in search.objectives]
    signs = [1 if objective.higher_is_better else -1 for objective in search.objectives]
    values = {number: trial.values or () for number, trial in whole.items()}
    panels = [
        Panel(
            f"{search.objectives[i].task} and {search.objectives[k].task}",
            names[i],
            names[k],
            tuple(
                Series("points", kind, tuple(values[s][i] for s in numbers), tuple(values[s][k] for s in numbers))
                for kind, numbers in marks.items()
            ),
            better=(signs[i], signs[k]),
        )
        for i, k in list(combinations(range(len(names)), 2))[:MOST_PAIRS]
    ]
    panels.append(
        Panel(
            "Δm by trial",
            "trial",
            "Δm in % · lower is better",
            tuple(
                Series("points", kind, tuple(map(float, numbers)), tuple(search.changes[s] for s in numbers))
                for kind, numbers in marks.items()
            ),
            zero="y",
        )
    )
    return Chart("tradeoff", "All trials on validation", "Each mark is a trial.", tuple(panels))


def _kinds(search: Search, chosen: int) -> Mapping[str, list[int]]:
    """Slots by what they are; a trial that is several things is shown as the last of them."""
    best_ones, equal = front(search.whole, search.objectives), search.trials[chosen].job.baseline
    kinds: dict[str, list[int]] = {kind: [] for kind in KINDS}
    for number in sorted(search.whole):
        kind = 3 if number == chosen else 2 if number == equal else 1 if number in best_ones else 0
        kinds[KINDS[kind]].append(number)
    return {kind: numbers for kind, numbers in kinds.items() if numbers}


def _table(search: Search, chosen: int) -> str:
    space, trials, changes = search.strategy.space, search.trials, search.changes
    heads = ["trial", "Δm in %", *(f"{o.task}: {o.metric}" for o in search.objectives)]
    heads += [f"weight of {task}" for task in space.tasks] + [axis.name for axis in space.axes]
    rows = []
    for number in [number for number in best(search, MOST_ROWS) if number in search.whole]:
        trial = trials[number]
        others = space.others(trial.job.point).values()
        rows.append(
            row(
                f'<th scope="row">{number}{" (chosen)" if number == chosen else ""}</th>',
                cell(changes[number], "+.2f"),
                *(cell(value, ".4g") for value in trial.values or ()),
                *(cell(weight, ".3g") for weight in space.weights(trial.job.point).values()),
                *(f"<td>{escape(v)}</td>" if isinstance(v, str) else cell(v, ".3g") for v in others),
            )
        )
    head = row(*(f'<th scope="col">{escape(text)}</th>' for text in heads))
    return table("Best trials", [head], rows)
