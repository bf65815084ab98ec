"""The verdict on results from anywhere."""

from collections.abc import Mapping
from typing import Any

from equipoise.lab.api.results import Results
from equipoise.lab.api.rows import metrics_of, read_rows
from equipoise.lab.evaluation import REFERENCE, SINGLE_TASK, Baselines, Summary
from equipoise.names import nearest


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

    Seeds that a method lacks, and values that are not finite, leave their pairs out and are noted; a method that lacks
    more than a tenth of its runs gets no verdict in its favour. What a constant predicts is not known, so there is no
    skill, and a run that collapsed is found only where it is an outlier.

    Args:
        results: A file (.csv, .tsv, .gz, .parquet), a data frame, or rows as mappings, with columns method, seed, task,
            metric and value; if it likes also ``better`` (higher or lower) or ``higher_is_better`` (true or false),
            and ``split``, of which only ``test`` is read. One value for each method, seed, task and metric.
        better: By task, "higher" or "lower"; not needed where a column says it or the metric is known by its name.
        metrics: By task, which metric is judged; needed where a task has several.
        reference: The method that the others are compared with, by its name there.
        single_task: The method that is one network per task, by its name there; Δm is against it.
        title: Of the results.
        delimiter: Between the cells of a CSV file; None: a comma, in .tsv a tab.

    Raises:
        ValueError: A column is missing, a cell cannot be read, a value is there twice, a direction is not known, there
            is no reference or no method that ``single_task`` names, or there is one seed only.

    >>> values = {"sum": (0.80, 0.81, 0.82), "uw": (0.90, 0.91, 0.93)}
    >>> rows = [{"method": method, "seed": seed, "task": "kind", "metric": "accuracy", "value": value}
    ...         for method, of in values.items() for seed, value in enumerate(of)]
    >>> judge(rows).verdict.headline
    'Over 3 seeds, uw is significantly better than the plain sum on kind.'
    """
    rows = read_rows(results, delimiter)
    found_metrics = metrics_of(rows, better or {}, metrics or {})
    judged = {(metric.task, metric.name) for metric in found_metrics}
    given = list(dict.fromkeys(row.method for row in rows))
    if reference not in given:
        raise ValueError(
            f"no method is named {reference!r}: say which of {', '.join(given)} the others are compared with, such as "
            f"reference={given[0]!r}"
        )
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
    methods = sorted(given, key=lambda name: name != single_task)
    return Results(
        Summary.from_values(values, found_metrics, methods, seeds, title=title, baselines=baselines, given=True)
    )
