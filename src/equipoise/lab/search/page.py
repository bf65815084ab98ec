"""A search as one HTML file: the answer, every trial in the trade-off, the best trials."""

import os
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import quote

from equipoise.lab.files import folder_within
from equipoise.lab.reports.chart import Chart, Panel, Series
from equipoise.lab.reports.html import render, render_page, save_page
from equipoise.lab.reports.palette import looks
from equipoise.lab.reports.static import draw_svg, save
from equipoise.lab.search.choice import front
from equipoise.lab.search.search import Search
from equipoise.lab.search.tables import best

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
    trials = quote(os.path.relpath(search.folder / "trials.csv", page.parent).replace(os.sep, "/"))
    text = render_page("search.html", title=title, trials_file=trials, **_values(search, chosen, words, code))
    save_page(page, text)


def render_sections(search: Search, chosen: int, words: Sequence[str], code: str) -> str:
    """All that the page shows below its head, as HTML without a style of its own; arguments as of ``write_page``."""
    return render("search_sections.html", **_values(search, chosen, words, code))


def _values(search: Search, chosen: int, words: Sequence[str], code: str) -> dict[str, Any]:
    space = search.strategy.space
    heads = ["trial", "Δm in %", *(f"{o.task}: {o.metric}" for o in search.objectives)]
    return {
        "words": words,
        "code": code,
        "picture": draw_svg(tradeoff(search, chosen), looks(KINDS)),
        "heads": [*heads, *(f"weight of {task}" for task in space.tasks), *(axis.name for axis in space.axes)],
        "trials": [_row(search, number, chosen) for number in best(search, MOST_ROWS) if number in search.whole],
    }


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
    """Trials by what they are; a trial that is several things is shown as the last of them."""
    best_ones, equal = front(search.whole, search.objectives), search.trials[chosen].job.baseline
    kinds: dict[str, list[int]] = {kind: [] for kind in KINDS}
    for number in sorted(search.whole):
        kind = 3 if number == chosen else 2 if number == equal else 1 if number in best_ones else 0
        kinds[KINDS[kind]].append(number)
    return {kind: numbers for kind, numbers in kinds.items() if numbers}


def _row(search: Search, number: int, chosen: int) -> dict[str, Any]:
    point = search.trials[number].job.point
    return {
        "number": number,
        "chosen": number == chosen,
        "change": search.changes[number],
        "metrics": search.trials[number].values or (),
        "weights": search.strategy.space.weights(point).values(),
        "others": search.strategy.space.others(point).values(),
    }
