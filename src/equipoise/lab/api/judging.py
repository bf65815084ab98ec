"""Judge results from anywhere: read their rows, check every cell, and apply the statistics of a study."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from equipoise.lab.api.given import rejects_unknown_options
from equipoise.lab.api.results import Results
from equipoise.lab.evaluation import REFERENCE, SINGLE_TASK, Baselines, Summary, TaskMetric, printable
from equipoise.names import nearest

COLUMNS = ("method", "seed", "task", "metric", "value")
DIRECTIONS = {"higher": True, "lower": False}
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True)
class ResultRow:
    """One test value; ``place`` is its row in words, ``higher_is_better`` is None where the row does not say."""

    place: str
    method: str
    seed: int
    task: str
    metric: str
    value: float
    higher_is_better: bool | None


def read_rows(results: Any, delimiter: str | None = None) -> list[ResultRow]:
    """The rows of the test split in a file, whose cells ``delimiter`` separates, a data frame or mappings.

    Raises:
        ValueError: A column is missing, a cell cannot be read, or there is no row; the message says where.
    """
    rows = [_row(place, cells) for place, cells in _cells(results, delimiter) if _is_test(cells)]
    if not rows:
        raise ValueError("there are no results: no row at all, or none whose split is test")
    return rows


def metrics_of(rows: Sequence[ResultRow], better: Mapping[str, str], metrics: Mapping[str, str]) -> list[TaskMetric]:
    """The judged metric of each task, with its direction, in the order of the rows.

    Args:
        rows: As ``read_rows`` gives them.
        better: "higher" or "lower", by task.
        metrics: The name of the judged one, by task; needed where a task has several.

    Raises:
        ValueError: A task has several and none is chosen, a task or metric is not there, or nothing says which
            direction is better.
    """
    found: dict[str, dict[str, list[ResultRow]]] = {}
    for row in rows:
        found.setdefault(row.task, {}).setdefault(row.metric, []).append(row)
    for what, given, example in (("better", better, "lower"), ("metrics", metrics, "rmse")):
        if not isinstance(given, Mapping):
            by_task = f"{{{next(iter(found))!r}: {example!r}}}"
            raise ValueError(f"{what} must be a mapping by task, such as {by_task}, got {given!r}")
        if unknown := [task for task in given if task not in found]:
            raise ValueError(f"{what} names task {unknown[0]!r}, which has no results; {nearest(unknown[0], found)}")
    return [_metric(task, by_name, better.get(task), metrics.get(task)) for task, by_name in found.items()]


def _metric(task: str, by_name: Mapping[str, list[ResultRow]], better: str | None, chosen: str | None) -> TaskMetric:
    if chosen is None and len(by_name) > 1:
        raise ValueError(
            f"task {task!r} has several metrics, {', '.join(by_name)}: say which one is judged, such as "
            f"metrics={{{task!r}: {next(iter(by_name))!r}}} (--metric {task}={next(iter(by_name))})"
        )
    name = next(iter(by_name)) if chosen is None else chosen
    if name not in by_name:
        raise ValueError(f"task {task!r} has no metric {name!r}; {nearest(name, by_name)}")
    if better is not None:
        return TaskMetric(task, name, direction(better, f"better of task {task!r}"))
    by_direction = {row.higher_is_better: row for row in by_name[name]}
    if len(by_direction) > 1:
        places = " and ".join(row.place for row in by_direction.values())
        raise ValueError(f"{name} of task {task!r} has two directions: {places} do not agree")
    higher = next(iter(by_direction))
    if higher is None:
        from equipoise.lab.metrics import higher_is_better

        higher = higher_is_better(name)
    if higher is None:
        raise ValueError(
            f"it is not known whether {name} of task {task!r} is better higher or lower: say better={{{task!r}: "
            f"'higher'}} (--better {task}=higher), or 'lower', or add a column named better"
        )
    return TaskMetric(task, name, higher)


def _cells(results: Any, delimiter: str | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Where each row stands, and its cells by column."""
    if isinstance(results, str | PathLike):
        from equipoise.lab.data.table import read_table

        table = read_table(Path(results), delimiter)
        _require_columns(table.columns, table.name)
        for index in range(len(table)):
            cells = {column: column_cells[index] for column, column_cells in table.columns.items()}
            yield f"{table.name} row {table.first_row + index}", cells
        return
    if hasattr(results, "columns"):
        _require_columns([str(column) for column in results.columns], "the frame", _levels(results))
        results = results.to_dicts() if hasattr(results, "to_dicts") else results.to_dict("records")  # polars, pandas
    if isinstance(results, Mapping) or not isinstance(results, Iterable):
        raise ValueError(f"results must be a file, a data frame or rows as mappings, got {type(results).__name__}")
    for number, row in enumerate(results, start=1):
        if not isinstance(row, Mapping):
            raise ValueError(f"row {number} must be a mapping from column to cell, got {type(row).__name__}")
        _require_columns(row, f"row {number}")
        yield f"row {number}", row


def _levels(frame: Any) -> list[str]:
    """The names of a pandas frame's index."""
    return [str(name) for name in getattr(getattr(frame, "index", None), "names", ())]


def _require_columns(columns: Iterable[str], where: str, index: Sequence[str] = ()) -> None:
    columns = [*map(str, columns)]
    if absent := [column for column in COLUMNS if column not in columns]:
        if all(column in index for column in absent):
            raise ValueError(
                f"{where} has {' and '.join(map(repr, absent))} in its index and not as columns: give "
                "frame.reset_index()"
            )
        lacking = [column for column in absent if column not in index]
        raise ValueError(
            f"{where} has no column {' and '.join(map(repr, lacking))}; results have {', '.join(COLUMNS)}, here are "
            f"{', '.join([*columns, *(f'{column} (in the index)' for column in absent if column in index)]) or 'none'}"
        )


def _is_test(cells: Mapping[str, Any]) -> bool:
    return "split" not in cells or str(cells["split"]).strip() == "test"


def _row(place: str, cells: Mapping[str, Any]) -> ResultRow:
    method, task, metric = (_text(place, column, cells[column]) for column in ("method", "task", "metric"))
    return ResultRow(
        place,
        method,
        _seed(place, cells["seed"]),
        task,
        metric,
        _value(place, cells["value"]),
        _higher_is_better(place, cells),
    )


def _text(place: str, column: str, cell: Any) -> str:
    if cell is None or cell != cell or not str(cell).strip():
        raise ValueError(f"{place}, column {column!r}: is empty")
    return str(printable(re.sub(r"\s*[\r\n]\s*", " ", str(cell).strip())))  # it stands in sentences, which are one line


def _seed(place: str, cell: Any) -> int:
    if not re.fullmatch(r"\d{1,19}(\.0)?", str(cell).strip()):  # a frame with a gap has 3.0
        raise ValueError(f"{place}, column 'seed': must be a whole number of at least 0, got {cell!r}")
    return int(str(cell).strip().partition(".")[0])


def _value(place: str, cell: Any) -> float:
    """An empty cell is a run without a value: NaN."""
    if cell is None or not str(cell).strip():
        return float("nan")
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{place}, column 'value': {str(cell)[:40]!r} is no number") from None


def _higher_is_better(place: str, cells: Mapping[str, Any]) -> bool | None:
    """What the columns ``better`` or ``higher_is_better`` of a row say; None without them."""
    if "better" in cells:
        return direction(cells["better"], f"{place}, column 'better':")
    if "higher_is_better" not in cells:
        return None
    word = str(cells["higher_is_better"]).strip().lower()
    if word not in _TRUTH:
        raise ValueError(f"{place}, column 'higher_is_better': must be true or false, got {word!r}")
    return _TRUTH[word]


def direction(word: Any, what: str) -> bool:
    """Whether higher is better; ``what`` begins the message if the word is neither higher nor lower."""
    known = str(word).strip().lower()
    if known not in DIRECTIONS:
        raise ValueError(f"{what} must be higher or lower, got {word!r}")
    return DIRECTIONS[known]


@rejects_unknown_options
def judge(
    results: Any,
    *,
    better: Mapping[str, str] | None = None,
    metrics: Mapping[str, str] | None = None,
    reference: str = REFERENCE,
    single_task: str = SINGLE_TASK,
    title: str = "Results",
    delimiter: str | None = None,
) -> Results:
    """Judge results from anywhere by the statistics of a study.

    A seed that a method lacks, or whose value is not finite, is left out of its comparisons and noted; a method that
    lacks more than a tenth of its runs gets no verdict in its favour. What a constant predicts is not known, so there
    is no skill, and a run that collapsed is found only where it is an outlier.

    Args:
        results: A file (.csv, .tsv, .gz, .parquet, .xlsx), a data frame, or rows as mappings, with columns method,
            seed, task, metric and value; optionally ``better`` (higher or lower) or ``higher_is_better`` (true or
            false), and ``split``, of which only ``test`` is read. One value for each method, seed, task and metric.
        better: By task, "higher" or "lower"; not needed where a column says it or the metric is known by its name.
        metrics: By task, which metric is judged; needed where a task has several.
        reference: The method that the others are compared with, by its name in the results.
        single_task: The method that is one network per task, by its name in the results; Δm is against it.
        title: Of the results.
        delimiter: Between the cells of a CSV file; None: a comma, in .tsv a tab.

    Raises:
        ValueError: A column is missing, a cell cannot be read, a value is there twice, a direction is not known, there
            is no reference or no method that ``single_task`` names, or there is one seed only.

    >>> values = {"sum": (0.80, 0.81, 0.82), "uw": (0.90, 0.91, 0.93)}
    >>> rows = [{"method": method, "seed": seed, "task": "kind", "metric": "accuracy", "value": value}
    ...         for method, by_seed in values.items() for seed, value in enumerate(by_seed)]
    >>> judge(rows).verdict.headline
    'Over 3 seeds, uw is significantly better than the plain sum on kind.'
    """
    rows = read_rows(results, delimiter)
    found_metrics = metrics_of(rows, better or {}, metrics or {})
    judged = {(metric.task, metric.name) for metric in found_metrics}
    given = list(dict.fromkeys(row.method for row in rows))
    if reference not in given:
        raise ValueError(f"reference: no method is named {reference!r}; {nearest(reference, given)}")
    if single_task not in given and single_task != SINGLE_TASK:
        raise ValueError(f"single_task: no method is named {single_task!r}; {nearest(single_task, given)}")
    values: dict[tuple[str, str, int], float] = {}
    for row in rows:
        if (row.task, row.metric) in judged:
            key = (row.method, row.task, row.seed)
            if key in values:
                raise ValueError(f"{row.place}: {row.method}, seed {row.seed}, {row.task}, {row.metric} is there twice")
            values[key] = row.value
    seeds = sorted({seed for _, _, seed in values})
    if len(seeds) < 2:
        raise ValueError(
            f"all results are of seed {seeds[0]}: with one seed a difference may be chance, and nothing can be judged; "
            "train at least 3 seeds, better 5"
        )
    baselines = Baselines(reference, single_task)
    methods = sorted(given, key=lambda name: name != single_task)  # single-task first, then as given
    return Results(
        Summary.from_values(values, found_metrics, methods, seeds, title=title, baselines=baselines, runs="given")
    )
