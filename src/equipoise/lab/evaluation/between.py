"""Two studies side by side: what each method reaches in one and in the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from equipoise.lab.evaluation.metric import TaskMetric, Values
from equipoise.lab.evaluation.statistics import holm
from equipoise.lab.evaluation.table import Comparison, compare_by_seed, judged_comparison


@dataclass(frozen=True)
class Change:
    """A method on a task in two studies: the means over all seeds of each, and the paired difference.

    ``comparison`` is second minus first over the seeds of both, its verdict corrected by Holm's procedure over all
    changes; None where nothing can be paired.
    """

    method: str
    task: str
    first: float
    second: float
    comparison: Comparison | None


def changes(
    first: Values,
    second: Values,
    metrics: Sequence[TaskMetric],
    *,
    same_data: bool,
    asked: tuple[int, int] | None = None,
) -> tuple[Change, ...]:
    """Every method that both studies have, on every task.

    Args:
        first: Primary test metrics of one study.
        second: Those of the other.
        metrics: Of the tasks that both have.
        same_data: Whether a seed means the same samples in both; without that nothing is paired.
        asked: How many seeds each was to have; None: as many as there are. Where a side lacks more than a tenth of
            them, no verdict is in its favour.
    """
    found, runs = [], {}
    for method in (name for name in first if name in second):
        for metric in metrics:
            a, b = first[method].get(metric.task, {}), second[method].get(metric.task, {})
            if a and b:
                comparison = compare_by_seed(b, a, metric) if same_data else None
                of_first, of_second = asked or (len(a), len(b))
                runs[method, metric.task] = [
                    (f"{method} in the second", len(b), of_second),
                    (f"{method} in the first", len(a), of_first),
                ]
                found.append(Change(method, metric.task, fmean(a.values()), fmean(b.values()), comparison))
    paired = [change for change in found if change.comparison is not None]
    adjusted = iter(holm([change.comparison.interval.p_value for change in paired if change.comparison]))
    higher = {metric.task: metric.higher_is_better for metric in metrics}
    return tuple(
        change
        if change.comparison is None
        else replace(
            change,
            comparison=judged_comparison(
                replace(change.comparison, p_adjusted=next(adjusted)),
                higher_is_better=higher[change.task],
                runs=runs[change.method, change.task],
            ),
        )
        for change in found
    )
