"""Figures over the epochs of the tasks' gradients: norms, cosines, magnitude similarity, condition number."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations

from equipoise.lab.evaluation import SINGLE_TASK
from equipoise.lab.evaluation.study import StudyResults
from equipoise.lab.reports.chart import Chart
from equipoise.lab.reports.lines import FAINT_SEEDS, heights, on_one_scale, panels_of
from equipoise.lab.reports.palette import Look

COSINE_IN = "cosine in "  # as history.csv names the cosine in a part of the network
UNMEASURED = "They need at least two tasks and a method that measures gradients, or a balancer made with probe_every."


def gradient_norms(study: StudyResults, look: Mapping[str, Look]) -> Chart:
    """The length of each task's gradient on the shared parameters."""
    drawn = panels_of(study, look, ((t, t) for t in study.tasks), "gradient_norm", "gradient norm")
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
        missing=f"No condition numbers: history.csv has none. {UNMEASURED}",
    )


def _pairs(study: StudyResults, quantity: str) -> Iterator[tuple[str, str]]:
    """Each two tasks with values, as history.csv names the pair, and as people do."""
    recorded = {task for _, task, name in study.curves if name == quantity}
    for a, b in combinations(study.tasks, 2):
        for name in (f"{a}|{b}", f"{b}|{a}"):
            if name in recorded:
                yield name, f"{a} and {b}"
