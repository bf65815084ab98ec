"""What a search leaves to read: its trials as a file and in a terminal, and its answer as a line of Python."""

import math
import shlex
from pathlib import Path

from rich.table import Table
from rich.text import Text

from equipoise.lab.cases import Case, with_losses
from equipoise.lab.evaluation import show
from equipoise.lab.files import write_rows
from equipoise.lab.search.axes import SETTINGS, beside_losses, losses_at
from equipoise.lab.search.search import Search
from equipoise.lab.search.trial import Trial

Cells = tuple[object, ...]
MOST_METRICS = 4  # that fit beside the rest in a terminal


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
        *("trial", "parent", "share", "delta_m"),
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


def best(search: Search, most: int) -> list[int]:
    """Numbers of the trials with the lowest Δm, those with the longest training first."""
    trials, changes = search.trials, search.changes
    well = [number for number in changes if trials[number].values is not None]
    return sorted(well, key=lambda number: (-trials[number].job.share, changes[number], number))[:most]


def trials_table(search: Search, numbers: list[int]) -> Table:
    """Some trials with their Δm, metrics, weights and settings; many tasks' metrics stay in trials.csv."""
    space, trials, changes = search.strategy.space, search.trials, search.changes
    measured = search.objectives if len(search.objectives) <= MOST_METRICS else ()
    staged = any(trials[number].job.share < 1 for number in numbers)
    heads = ["trial", *["share"] * staged, "Δm in %"]
    heads += [f"{o.task}\n{o.metric} {'↑' if o.higher_is_better else '↓'}" for o in measured]
    heads += ["weights"] * bool(space.tasks) + [axis.name for axis in space.axes]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for head in heads:
        table.add_column(Text(head), header_style="underline", overflow="fold")
    for number in numbers:
        trial = trials[number]
        weights = " ".join(f"{weight:.3g}" for weight in space.weights(trial.job.point).values())
        others = space.others(trial.job.point).values()
        cells = [
            f"{number} (default)" if number == trial.job.baseline else str(number),
            *[f"{trial.job.share:.0%}"] * staged,
            f"{changes[number]:+.2f}",
            *(show(value) for value in (trial.values or ())[: len(measured)]),
            *[weights] * bool(space.tasks),
            *(value if isinstance(value, str) else f"{value:.3g}" for value in others),
        ]
        table.add_row(*map(Text, cells))
    return table


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
