"""The CSV files of a study: of its finished runs alone, the same runs in the same bytes, and of their summary."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from equipoise.lab.arms import SINGLE_TASK, StudyArm
from equipoise.lab.evaluation import Interval, Row, Summary
from equipoise.lab.evaluation.folder import TABLES
from equipoise.lab.evaluation.study import BaselineScore
from equipoise.lab.files import file_hash, write_rows
from equipoise.lab.studies.plan import Run
from equipoise.lab.training import RunResult

Results = Mapping[Run, RunResult]
Rows = Sequence[tuple[object, ...]]

BASELINES = "baselines.csv"

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


def write_baselines(folder: Path, scores: Iterable[BaselineScore]) -> None:
    """Write baselines.csv; where there are no scores it is removed."""
    if rows := [*scores]:
        write_rows(folder / BASELINES, BaselineScore._fields, rows)
    else:
        (folder / BASELINES).unlink(missing_ok=True)


METHODS = (
    *("method", "mean_rank", "rank_by_seed", "delta_m", "delta_m_low", "delta_m_high", "median_delta_m", "delta_p"),
    *("worst_change_task", "worst_change", "wins", "geometric_ratio", "skill", "worst_skill_task", "worst_skill"),
    *("score", "seconds_per_step", "to_sum", "backwards_per_step", "peak_memory_mb", "training_seconds"),
    *("skipped_steps", "unsolved_steps", "unequal"),
)
TASKS = (
    *("task", "metric", "method", "mean", "sd", "seeds", "other", "difference", "low", "high"),
    *("p_value", "p_adjusted", "verdict", "inspect"),
)
EQUAL_TIME = ("method", "seconds", "epochs", "task", "metric", "value", "difference", "low", "high", "seeds")


def write_scores(folder: Path, summary: Summary) -> None:
    """Write methods.csv and equal_time.csv, of many tasks tasks.csv; a cell is empty where there is nothing to say."""
    by_seed = dict(zip(summary.ranks.names, summary.ranks.mean_ranks, strict=True)) if summary.ranks else {}
    stamp = "; ".join(summary.unequal)
    rows = ((*_row(row, by_seed.get(row.method)), stamp) for row in summary.rows)
    write_rows(folder / "methods.csv", METHODS, rows)
    write_rows(folder / "equal_time.csv", EQUAL_TIME, _equal_time(summary))
    if summary.means:
        write_rows(folder / "tasks.csv", TASKS, _tasks(summary))


def _tasks(summary: Summary) -> Iterator[tuple[object, ...]]:
    """A row for each task and comparison of a method, and for one that is compared with nothing."""
    for metric in (*summary.shown, *summary.metrics):
        for row in summary.rows:
            score = row.score(metric.task)
            about = (metric.task, metric.name, row.method, score.mean, score.spread, len(score.seeds))
            for other, one in score.to.items():
                ends = _ends(one.interval)
                found = (one.interval.p_value, one.p_adjusted, one.verdict, one.check.words if one.check else None)
                yield (*about, other, *ends, *(None if cell != cell else cell for cell in found))
            if not score.to and score.seeds:
                yield (*about, *(None,) * 8)


def _row(row: Row, rank: float | None) -> tuple[object, ...]:
    one, skill, cost = row.against, row.skills, row.cost
    return (
        *(row.method, row.mean_rank, rank),
        *((*_ends(one.delta_m), one.median_delta_m, one.delta_p) if one else (None,) * 5),
        *((*one.worst, one.wins, one.ratio) if one else (None,) * 4),
        *((skill.average, *skill.worst, skill.score) if skill else (None,) * 4),
        *(row.seconds_per_step, row.cost_ratio),
        *((cost.backwards_per_step, cost.peak_memory_mb, cost.seconds) if cost else (None,) * 3),
        *((cost.skipped_steps, cost.unsolved_steps) if cost else (None,) * 2),
    )


def _equal_time(summary: Summary) -> Iterator[tuple[object, ...]]:
    if summary.equal_time is None:
        return
    for row in summary.equal_time.rows:
        for metric in summary.metrics:
            interval = row.to_sum[metric.task]
            differences = (*_ends(interval), interval.n) if interval else (None,) * 4
            value = row.values[metric.task]
            yield (
                *(row.method, summary.equal_time.seconds, row.epochs),
                *(metric.task, metric.name, value, *differences),
            )


def _ends(interval: Interval) -> tuple[float | None, float | None, float | None]:
    known = interval.low == interval.low
    return interval.mean, interval.low if known else None, interval.high if known else None
