"""What a search leaves to read: its trials as a file, and its answer as a line of Python."""

import math
import shlex
from pathlib import Path

from equipoise.lab.cases import Case, with_losses
from equipoise.lab.files import write_rows
from equipoise.lab.search.axes import SETTINGS, beside_losses, losses_at
from equipoise.lab.search.search import Search
from equipoise.lab.search.trial import Trial

Cells = tuple[object, ...]


def write_trials(search: Search) -> Path:
    """Write trials.csv: one row per finished trial or stage, by number; the same trials write the same bytes."""
    path = search.folder / "trials.csv"
    write_rows(path, *trial_rows(search))
    return path


def trial_rows(search: Search) -> tuple[tuple[str, ...], list[Cells]]:
    """The columns of trials.csv and its rows."""
    space, changes, trials = search.strategy.space, search.changes, search.trials
    axes = [axis.name for axis in space.axes]
    header = (
        *("slot", "parent", "share", "delta_m"),
        *(f"{objective.task} {objective.metric}" for objective in search.objectives),
        *(f"weight {task}" for task in space.tasks),
        *axes,
        "failed",
    )
    rows: list[Cells] = []
    for number, trial in sorted(trials.items()):
        change, values = changes.get(number, math.nan), trial.values or (math.nan,) * len(search.objectives)
        parent = "" if trial.job.parent is None else trial.job.parent
        weights, others = space.weights(trial.job.point), space.others(trial.job.point)
        rows.append(
            (number, parent, trial.job.share, change, *values, *weights.values(), *others.values(), trial.reason)
        )
    return header, rows


def to_paste(search: Search, trial: Trial, method: str, case: Case) -> str:
    """Python that balances as a trial did; of settings and losses also the words for the command line."""
    space = search.strategy.space
    weights = {task: float(f"{weight:.4g}") for task, weight in space.weights(trial.job.point).items()}
    others = space.others(trial.job.point)
    rounded = {name: float(f"{v:.4g}") if isinstance(v, float) else v for name, v in others.items()}
    losses = with_losses(case, losses_at(case, rounded)).chosen
    others = beside_losses(others)
    settings = {SETTINGS[name]: others.pop(name) for name in SETTINGS if name in others}
    arguments = "".join(f", {name}={value!r}" for name, value in others.items())
    lines = []
    if method == "fixed" and weights:
        lines.append(f"method = eq.Fixed({weights})")
    else:
        named = "sum" if method == "fixed" else method  # fixed at 1
        lines.append(f"method = eq.method({named!r}{arguments})")
        if weights:
            lines.append(f"balancer.set_weights({weights})  # of eq.Balancer(method, model, tasks=tasks)")
    lines += [f"{name} = {float(value):.4g}" for name, value in settings.items()]
    options = [f"--{name.replace('_', '-')} {float(value):.4g}" for name, value in settings.items()]
    options += [f"--loss {shlex.quote(f'{task}={word}')}" for task, word in losses.items()]
    if options:
        lines.append(f"# on the command line: {' '.join(options)}")
    if losses:
        lines += [
            "from equipoise.lab.cases import with_losses",
            f"case = with_losses(case, {losses!r})",
        ]
    return "\n".join(lines)
