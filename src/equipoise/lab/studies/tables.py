"""The CSV files of a study, from its finished runs alone: the same runs write the same bytes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from equipoise.lab.arms import SINGLE_TASK, StudyArm
from equipoise.lab.evaluation.folder import TABLES
from equipoise.lab.files import file_hash, write_rows
from equipoise.lab.studies.run import Run
from equipoise.lab.training import RunResult

Results = Mapping[Run, RunResult]
Rows = Sequence[tuple[object, ...]]

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


def write_tables(folder: Path, results: Results, arms: Sequence[StudyArm]) -> dict[str, str]:
    """Write runs.csv, history.csv, costs.csv and exhibits.csv; returns the SHA-256 of each.

    Args:
        folder: Of the study.
        results: Of its finished runs.
        arms: Their order, after single-task.
    """
    arms = (SINGLE_TASK, *arms)
    ordered = sorted((arms.index(run.arm), run.seed, run.task, result) for run, result in results.items())
    scores = sorted((place, seed, *score) for place, seed, _, result in ordered for score in result.scores)
    moments = sorted((place, seed, *moment) for place, seed, _, result in ordered for moment in result.history)
    costs = [
        (arms[place], seed, task, *(getattr(result, cost) for cost in COSTS)) for place, seed, task, result in ordered
    ]
    runs = sorted((arms.index(run.arm), run.seed, run.task, run, result) for run, result in results.items())
    shown = [
        (arms[place], seed, task, f"runs/{run.folder_name}", result.exhibits)
        for place, seed, task, run, result in runs
        if result.exhibits
    ]
    return write_csv_files(
        folder,
        [(arms[place], *rest) for place, *rest in scores],
        [(arms[place], *rest) for place, *rest in moments],
        costs,
        shown,
    )


def write_csv_files(folder: Path, scores: Rows, moments: Rows, costs: Rows, shown: Rows) -> dict[str, str]:
    """Write the rows of runs.csv, history.csv, costs.csv and, if there are any, exhibits.csv; the SHA-256 of each."""
    write_rows(folder / "runs.csv", ("method", "seed", "split", "task", "metric", "value"), scores)
    write_rows(folder / "history.csv", ("method", "seed", "epoch", "split", "task", "quantity", "value"), moments)
    write_rows(folder / "costs.csv", ("method", "seed", "task", *COSTS), costs)
    if shown:
        write_rows(folder / "exhibits.csv", ("method", "seed", "task", "folder", "sha256"), shown)
    else:
        (folder / "exhibits.csv").unlink(missing_ok=True)
    return {name: file_hash(folder / name) for name in TABLES if (folder / name).is_file()}
