"""Figures over the epochs: losses, weights, and the norms, cosines and magnitude similarity of gradients."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from statistics import fmean

from equipoise.lab.evaluation import SINGLE_TASK, counted
from equipoise.lab.evaluation.study import Curve, StudyResults
from equipoise.lab.reports.chart import Chart, Panel, Series
from equipoise.lab.reports.palette import Look
from equipoise.lab.settings import MANY_TASKS, a_few

MOST_POINTS = 40_000  # of all curves together, so that the page stays below 6 MB
LOG_FROM = 5.0  # values that span more than this factor are drawn on a logarithmic axis
FAINT_SEEDS = (
    "Strong lines are means over the seeds, up to the last epoch that every seed reached; faint lines are the seeds."
)
PART = "part "  # as history.csv names a part of a loss
COSINE_IN = "cosine in "  # as history.csv names the cosine in a part of the network
UNMEASURED = "They need at least two tasks and a method that measures gradients, or a balancer made with probe_every."


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


def losses(study: StudyResults, look: Mapping[str, Look]) -> Chart:
    """Train and validation loss of each task under each method, the chosen epoch marked."""
    best = {(c.method, c.seed, c.task): c.best_epoch for c in study.costs}
    panels = []
    for task in a_few(study.tasks):
        series: list[Series] = []
        for method in study.methods:
            for split in ("train", "validation"):
                seeds = study.curves.get((method, task, f"{split} loss"), {})
                what = f"{look[method].label}, {split} loss"
                series += lines(study, seeds, method, what, dotted=split == "train")
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
        f"{FAINT_SEEDS} The table below judges every run by a rule. Show one method alone to see it clearly.",
        tuple(panels),
        missing="No loss curves: history.csv has no finite loss.",
        notes=_notes(study),
    )


def parts(study: StudyResults, look: Mapping[str, Look]) -> Chart | None:
    """What the losses that are mixtures consist of; None where none is."""
    few = a_few(study.tasks)
    names = list(dict.fromkeys((t, name) for _, t, name in study.curves if t in few and name.startswith(PART)))
    drawn = [
        panel
        for task, quantity in sorted(names, key=lambda one: study.tasks.index(one[0]))
        for panel in panels_of(
            study, look, [(task, f"{task}: {quantity.removeprefix(PART)}")], quantity, "part of the loss"
        )
    ]
    if not drawn:
        return None
    return Chart(
        "parts",
        "Parts of losses",
        "What a loss that is a mixture, or has a penalty, consists of in training, averaged over the steps of "
        f"an epoch, as each part comes, before its proportion. {FAINT_SEEDS} A part that is far larger than the others "
        "decides the mixture.",
        tuple(drawn),
    )


def weights(study: StudyResults, look: Mapping[str, Look]) -> Chart:
    """The effective weight of each task under each method."""
    drawn = panels_of(study, look, ((t, t) for t in a_few(study.tasks)), "weight", "weight", without=(SINGLE_TASK,))
    return Chart(
        "weights",
        "Weights over time",
        "By how much each task's loss counts in what is shared, averaged over the steps of an epoch. "
        f"{FAINT_SEEDS} Only the proportions between tasks compare across methods: a common factor acts like "
        "a learning rate.",
        on_one_scale(drawn),
        missing="No weights: history.csv has none.",
    )


def _notes(study: StudyResults) -> tuple[str, ...]:
    notes = []
    if study.not_finite:
        notes.append(
            f"Not finite, and not drawn: {counted(len(study.not_finite), 'value')} of history.csv (a loss overflowed "
            "or was undefined)."
        )
    if (few := len(a_few(study.tasks))) < len(study.tasks):
        notes.append(f"Figures over the epochs show {few} of {len(study.tasks)} tasks, spread evenly.")
    if (step := stride(study)) > 1:
        notes.append(f"Every epoch would make the page too large: curves show one epoch in {step}.")
    return tuple(notes)


def gradient_norms(study: StudyResults, look: Mapping[str, Look]) -> Chart:
    """The length of each task's gradient on the shared parameters."""
    drawn = panels_of(study, look, ((t, t) for t in a_few(study.tasks)), "gradient_norm", "gradient norm")
    return Chart(
        "gradient_norms",
        "Gradient norms over time",
        f"The length of each task's raw gradient on the shared parameters. {FAINT_SEEDS} A task whose gradient "
        "is ten times longer than another's decides the direction of a plain sum nearly alone.",
        on_one_scale(drawn),
        missing="No gradient norms: history.csv has none.",
    )


def cosines(study: StudyResults, look: Mapping[str, Look]) -> Chart:
    """The cosine between the gradients of each two tasks."""
    drawn = panels_of(study, look, _pairs(study, "cosine"), "cosine", "cosine", without=(SINGLE_TASK,))
    reach = min(1.05, 1.15 * max((abs(y) for y in heights(drawn)), default=0.0) + 0.05)
    return Chart(
        "cosines",
        "Gradient cosines over time",
        "1: the two tasks pull the shared parameters the same way; 0: they do not meet; below 0: they conflict. "
        f"{FAINT_SEEDS} Fewer conflicts are no result in themselves: they do not predict how well a network "
        "generalises.",
        tuple(replace(panel, y_range=(-reach, reach), zero="y") for panel in drawn),
        missing=f"No cosines: history.csv has none. {UNMEASURED}",
    )


def part_cosines(study: StudyResults, look: Mapping[str, Look]) -> Chart:
    """The same by each part of the network."""
    recorded = list(dict.fromkeys(name for _, _, name in study.curves if name.startswith(COSINE_IN)))
    drawn = [
        panel
        for quantity in recorded
        for panel in panels_of(
            study,
            look,
            [(pair, f"{title} in {quantity.removeprefix(COSINE_IN)}") for pair, title in _pairs(study, quantity)],
            quantity,
            "cosine",
            without=(SINGLE_TASK,),
        )
    ]
    return Chart(
        "part_cosines",
        "Gradient cosines in each part of the network",
        "As above, by the parts of the network that tasks share, once at the end of each epoch on one batch that is "
        f"spread over the training split, without dropout. {FAINT_SEEDS} Parts where tasks conflict at every epoch are "
        "candidates for a copy of their own for each task.",
        tuple(replace(panel, y_range=(-1.05, 1.05), zero="y") for panel in drawn),
        missing="No cosines by part: history.csv has none. They need at least two tasks that share a part.",
    )


def magnitude_similarity(study: StudyResults, look: Mapping[str, Look]) -> Chart:
    """How similar the gradient norms of each two tasks are."""
    quantity = "magnitude_similarity"
    drawn = panels_of(study, look, _pairs(study, quantity), quantity, "magnitude similarity", without=(SINGLE_TASK,))
    return Chart(
        "magnitude_similarity",
        "Magnitude similarity over time",
        "2 ‖a‖ ‖b‖ / (‖a‖² + ‖b‖²) of the raw gradients a and b of two tasks (Yu et al. 2020): 1 where they are as "
        f"long as each other, near 0 where one is much longer and decides the sum alone. {FAINT_SEEDS}",
        tuple(replace(panel, y_range=(0.0, 1.05)) for panel in drawn),
        missing=f"No magnitude similarity: history.csv has none. {UNMEASURED}",
    )


def condition_number(study: StudyResults, look: Mapping[str, Look]) -> Chart:
    """How nearly the tasks' gradients are linearly dependent."""
    quantity = "log10_condition_number"
    drawn = panels_of(study, look, [("all", "All tasks")], quantity, "log10 of condition number", (SINGLE_TASK,))
    return Chart(
        "condition_number",
        "Condition number over time",
        "Largest over smallest singular value of the matrix of all tasks' raw gradients, as its decimal logarithm, "
        "averaged over the steps of an epoch (Senushkin et al. 2023): 0 where gradients are orthogonal and equally "
        "long; 2 where some mix of them is a hundred times shorter than another. Its square is that of the gramian. "
        f"{FAINT_SEEDS}",
        drawn,
        missing=f"No condition numbers: history.csv has none. {UNMEASURED} "
        f"Of more than {MANY_TASKS} tasks there is none.",
    )


def _pairs(study: StudyResults, quantity: str) -> Iterator[tuple[str, str]]:
    """Each two tasks with values, as history.csv names the pair, and as people do."""
    recorded = {task for _, task, name in study.curves if name == quantity}
    for a, b in combinations(a_few(study.tasks), 2):
        for name in (f"{a}|{b}", f"{b}|{a}"):
            if name in recorded:
                yield name, f"{a} and {b}"
