"""Figures over the epochs: losses and weights."""

from collections.abc import Mapping

from equipoise.lab.evaluation import SINGLE_TASK
from equipoise.lab.evaluation.study import StudyResults
from equipoise.lab.reports.chart import Chart, Panel, Series
from equipoise.lab.reports.lines import FAINT_SEEDS, lines, on_one_scale, panels_of, stride
from equipoise.lab.reports.palette import Look

PART = "part "  # as history.csv names a part of a loss


def losses(study: StudyResults, look: Mapping[str, Look]) -> Chart:
    """Train and validation loss of each task under each method, the chosen epoch marked."""
    best = {(c.method, c.seed, c.task): c.best_epoch for c in study.costs}
    panels = []
    for task in study.tasks:
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
    names = list(dict.fromkeys((task, name) for _, task, name in study.curves if name.startswith(PART)))
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
    drawn = panels_of(study, look, ((t, t) for t in study.tasks), "weight", "weight", without=(SINGLE_TASK,))
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
    if study.unplottable:
        notes.append(
            f"{study.unplottable} values of history.csv are not finite (a loss overflowed or was undefined); "
            "they are not drawn."
        )
    if (step := stride(study)) > 1:
        notes.append(f"Every epoch would make the page too large: curves show one epoch in {step}.")
    return tuple(notes)
