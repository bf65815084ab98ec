"""Lines over the epochs: the seeds faint, their mean strong."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from statistics import fmean

from equipoise.lab.evaluation.study import Curve, StudyResults
from equipoise.lab.reports.chart import Panel, Series
from equipoise.lab.reports.palette import Look

MOST_POINTS = 40_000  # of all curves together, so that the page stays below 6 MB
LOG_FROM = 5.0  # values that span more than this factor are drawn on a logarithmic axis
FAINT_SEEDS = (
    "Strong lines are means over the seeds, up to the last epoch that every seed reached; faint lines are the seeds."
)


def panels_of(
    study: StudyResults,
    look: Mapping[str, Look],
    keys: Iterable[tuple[str, str]],
    quantity: str,
    words: str,
    without: tuple[str, ...] = (),
) -> tuple[Panel, ...]:
    """A panel for each (task or pair, title) that has values, with the curves of the methods.

    Args:
        study: Whose curves.
        look: Of the methods.
        keys: The tasks or pairs as history.csv names them, with the panels' titles.
        quantity: As history.csv names it.
        words: The same for people.
        without: Methods that are left out.
    """
    made = []
    for key, title in keys:
        series: list[Series] = []
        for method in study.methods:
            if method not in without:
                seeds = study.curves.get((method, key, quantity), {})
                series += lines(study, seeds, method, f"{look[method].label}, {words}")
        if series:
            made.append(Panel(title, "epoch", words, tuple(series), epochs=True))
    return tuple(made)


def heights(panels: Iterable[Panel]) -> list[float]:
    """All values drawn."""
    return [y for panel in panels for series in panel.series for y in series.y if y is not None]


def on_one_scale(panels: tuple[Panel, ...]) -> tuple[Panel, ...]:
    """The same axis for every task, so that tasks compare; logarithmic where the values span much."""
    values = heights(panels)
    if not values:
        return panels
    low, high = min(values), max(values)
    log_y = low > 0 and high > LOG_FROM * low
    if log_y:
        room = (high / low) ** 0.05
        y_range = (low / room, high * room)
    else:
        room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
        y_range = (low - room, high + room)
    return tuple(replace(panel, log_y=log_y, y_range=y_range) for panel in panels)


def lines(
    study: StudyResults, seeds: Mapping[int, Curve], method: str, what: str, *, dotted: bool = False
) -> list[Series]:
    """The seeds as one faint broken line and their mean as a strong one; one seed is its own mean."""
    if not seeds:
        return []
    step = stride(study)
    found = []
    if len(seeds) > 1:
        x: list[float | None] = []
        y: list[float | None] = []
        hover: list[str] = []
        for seed, curve in sorted(seeds.items()):
            epochs = _thin(sorted(curve), step)
            x += [*epochs, None]
            y += [*(curve[epoch] for epoch in epochs), None]
            hover += [f"seed {seed}"] * (len(epochs) + 1)
        faint = Series("line", method, tuple(x), tuple(y), strong=False, dotted=dotted, what=what, hover=tuple(hover))
        found.append(faint)
    shared = _thin(sorted(set.intersection(*(set(curve) for curve in seeds.values()))), step)
    if shared:
        means = tuple(fmean(curve[epoch] for curve in seeds.values()) for epoch in shared)
        of = f"mean of {len(seeds)} seeds" if len(seeds) > 1 else f"seed {next(iter(seeds))}"
        texts = (of,) * len(shared)
        found.append(Series("line", method, tuple(shared), means, dotted=dotted, what=what, hover=texts))
    return found


def stride(study: StudyResults) -> int:
    """One epoch in how many is drawn."""
    points = sum(len(curve) for seeds in study.curves.values() for curve in seeds.values())
    return 1 + points // MOST_POINTS


def _thin(epochs: list[int], step: int) -> list[int]:
    """Every step-th epoch and the last."""
    return [*epochs[:-1:step], *epochs[-1:]]
