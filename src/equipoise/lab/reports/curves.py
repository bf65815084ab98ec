"""Figures over the epochs: losses, weights, gradient norms, cosines."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import combinations
from statistics import fmean

from equipoise.lab.evaluation import SINGLE_TASK
from equipoise.lab.reports.chart import Chart, Panel, Series
from equipoise.lab.reports.palette import Look
from equipoise.lab.reports.study import Curve, Study

MOST_POINTS = 40_000  # of all curves together, so that the page stays below 6 MB
LOG_FROM = 5.0  # values that span more than this factor are drawn on a logarithmic axis
FAINT_SEEDS = (
    "Strong lines are means over the seeds, up to the last epoch that every seed reached; faint lines are the seeds."
)


def losses(study: Study, look: Mapping[str, Look]) -> Chart:
    """Train and validation loss of each task under each method, the chosen epoch marked."""
    best = {(c.method, c.seed, c.task): c.best_epoch for c in study.costs}
    panels = []
    for task in study.tasks:
        series: list[Series] = []
        for method in study.methods:
            for split in ("train", "validation"):
                seeds = study.curves.get((method, task, f"{split} loss"), {})
                what = f"{look[method].label}, {split} loss"
                series += _lines(study, seeds, method, what, dotted=split == "train")
        for method in study.methods:
            seeds = study.curves.get((method, task, "validation loss"), {})
            chosen = {seed: best.get((method, seed, task if method == SINGLE_TASK else "all")) for seed in seeds}
            marks = [(e, seeds[s][e], s) for s, e in chosen.items() if e is not None and e in seeds[s]]
            if marks:
                epochs = tuple(epoch for epoch, _, _ in marks)
                values = tuple(value for _, value, _ in marks)
                hover = tuple(
                    f"best epoch of seed {seed}: {epoch}\nvalidation loss {value:.4g}" for epoch, value, seed in marks
                )
                series.append(
                    Series("points", method, epochs, values, hollow=True, what=look[method].label, hover=hover)
                )
        if series:
            panels.append(Panel(task, "epoch", "loss", tuple(series), epochs=True))
    return Chart(
        "losses",
        "Loss curves",
        "Solid: validation. Dotted: training, a mean over the epoch while the network still moves. Hollow marks: the "
        "epoch chosen on validation, one for each seed. "
        f"{FAINT_SEEDS} A solid line that rises while its dotted line still falls is over-fitting; two lines "
        "that still fall together at the end are under-fitting. Show one method alone to see it clearly.",
        tuple(panels),
        missing="No loss curves: history.csv has no finite loss.",
        notes=_notes(study),
    )


def weights(study: Study, look: Mapping[str, Look]) -> Chart:
    """The weight each method gave each task."""
    panels = _panels(study, look, ((t, t) for t in study.tasks), "weight", "weight", without=(SINGLE_TASK,))
    return Chart(
        "weights",
        "Weights over time",
        "The factor on each task's loss or gradient, averaged over the steps of an epoch. "
        f"{FAINT_SEEDS} Only the proportions between tasks compare across methods: a common factor acts like "
        "a learning rate.",
        _on_one_scale(panels),
        missing="No weights: history.csv has none.",
    )


def gradient_norms(study: Study, look: Mapping[str, Look]) -> Chart:
    """The length of each task's gradient on the shared parameters."""
    panels = _panels(study, look, ((t, t) for t in study.tasks), "gradient_norm", "gradient norm")
    return Chart(
        "gradient_norms",
        "Gradient norms over time",
        f"The length of each task's raw gradient on the shared parameters. {FAINT_SEEDS} A task whose gradient "
        "is ten times longer than another's decides the direction of a plain sum nearly alone.",
        _on_one_scale(panels),
        missing="No gradient norms: history.csv has none.",
    )


def cosines(study: Study, look: Mapping[str, Look]) -> Chart:
    """The cosine between the gradients of each two tasks."""
    recorded = {task for _, task, quantity in study.curves if quantity == "cosine"}
    pairs = [
        (name, f"{a} and {b}")
        for a, b in combinations(study.tasks, 2)
        for name in (f"{a}|{b}", f"{b}|{a}")
        if name in recorded
    ]
    panels = _panels(study, look, pairs, "cosine", "cosine", without=(SINGLE_TASK,))
    reach = min(1.05, 1.15 * max((abs(y) for y in _heights(panels)), default=0.0) + 0.05)
    return Chart(
        "cosines",
        "Gradient cosines over time",
        "1: the two tasks pull the shared parameters the same way; 0: they do not meet; below 0: they conflict. "
        f"{FAINT_SEEDS} Fewer conflicts are no result in themselves: they do not predict how well a network "
        "generalises.",
        tuple(replace(panel, y_range=(-reach, reach), zero="y") for panel in panels),
        missing="No cosines: history.csv has none. They need at least two tasks and a method that measures "
        "gradients, or a balancer made with probe_every.",
    )


def _panels(
    study: Study,
    look: Mapping[str, Look],
    keys: Iterable[tuple[str, str]],
    quantity: str,
    words: str,
    without: tuple[str, ...] = (),
) -> tuple[Panel, ...]:
    panels = []
    for key, title in keys:
        series: list[Series] = []
        for method in study.methods:
            if method not in without:
                seeds = study.curves.get((method, key, quantity), {})
                series += _lines(study, seeds, method, f"{look[method].label}, {words}")
        if series:
            panels.append(Panel(title, "epoch", words, tuple(series), epochs=True))
    return tuple(panels)


def _heights(panels: Iterable[Panel]) -> list[float]:
    return [y for panel in panels for series in panel.series for y in series.y if y is not None]


def _on_one_scale(panels: tuple[Panel, ...]) -> tuple[Panel, ...]:
    """The same axis for every task, so that tasks compare; logarithmic where the values span much."""
    heights = _heights(panels)
    if not heights:
        return panels
    low, high = min(heights), max(heights)
    log_y = low > 0 and high > LOG_FROM * low
    if log_y:
        room = (high / low) ** 0.05
        y_range = (low / room, high * room)
    else:
        room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
        y_range = (low - room, high + room)
    return tuple(replace(panel, log_y=log_y, y_range=y_range) for panel in panels)


def _lines(study: Study, seeds: Mapping[int, Curve], method: str, what: str, *, dotted: bool = False) -> list[Series]:
    """The seeds as one faint broken line and their mean as a strong one; one seed is its own mean."""
    if not seeds:
        return []
    step = _stride(study)
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


def _stride(study: Study) -> int:
    points = sum(len(curve) for seeds in study.curves.values() for curve in seeds.values())
    return 1 + points // MOST_POINTS


def _thin(epochs: list[int], step: int) -> list[int]:
    """Every step-th epoch and the last."""
    return [*epochs[:-1:step], *epochs[-1:]]


def _notes(study: Study) -> tuple[str, ...]:
    notes = []
    if study.unplottable:
        notes.append(
            f"{study.unplottable} values of history.csv are not finite (a loss overflowed or was undefined); "
            "they are not drawn."
        )
    if (step := _stride(study)) > 1:
        notes.append(f"Every epoch would make the page too large: curves show one epoch in {step}.")
    return tuple(notes)
