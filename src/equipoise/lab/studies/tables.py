"""The CSV files of a study, from its finished runs alone: the same runs write the same bytes."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from equipoise.lab.evaluation import SINGLE_TASK
from equipoise.lab.studies.run import Run
from equipoise.lab.training import RunResult
from equipoise.lab.training.files import replace_file

Results = Mapping[Run, RunResult]

COSTS = (
    "epochs",
    "best_epoch",
    "steps",
    "seconds_per_step",
    "backwards_per_step",
    "peak_memory_mb",
    "seconds",
    "skipped_steps",
    "unsolved_steps",
)


def write_tables(folder: Path, results: Results, methods: Sequence[str]) -> None:
    """Write runs.csv, history.csv, costs.csv and exhibits.csv; ``methods`` gives their order, after single-task."""
    names = (SINGLE_TASK, *methods)
    ordered = sorted((names.index(run.method), run.seed, run.task, result) for run, result in results.items())
    scores = sorted((place, seed, *score) for place, seed, _, result in ordered for score in result.scores)
    moments = sorted((place, seed, *moment) for place, seed, _, result in ordered for moment in result.history)
    write_rows(
        folder / "runs.csv",
        ("method", "seed", "split", "task", "metric", "value"),
        ((names[place], *rest) for place, *rest in scores),
    )
    write_rows(
        folder / "history.csv",
        ("method", "seed", "epoch", "split", "task", "quantity", "value"),
        ((names[place], *rest) for place, *rest in moments),
    )
    write_rows(
        folder / "costs.csv",
        ("method", "seed", "task", *COSTS),
        (
            (names[place], seed, task, *(getattr(result, cost) for cost in COSTS))
            for place, seed, task, result in ordered
        ),
    )
    runs = sorted((names.index(run.method), run.seed, run.task, f"runs/{run.folder_name}") for run in results)
    shown = [(names[place], *rest) for place, *rest in runs if (folder / str(rest[-1]) / "exhibits.json").is_file()]
    if shown:
        write_rows(folder / "exhibits.csv", ("method", "seed", "task", "folder"), shown)


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file, whole or not at all, and not if it is there with the same content."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)  # floats by repr
    content = text.getvalue().encode("utf-8")
    if not path.is_file() or path.read_bytes() != content:  # what is as it was is not newer than its report
        replace_file(path, lambda file: file.write(content))
