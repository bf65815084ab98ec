"""Figures of results: differences to the reference, ranks, trade-offs between tasks, costs."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import isfinite
from statistics import fmean, median

from equipoise.lab.evaluation import Interval, Summary, TaskMetric, TwoStudies, all_of, counted, listing
from equipoise.lab.evaluation.study import RunCost, StudyResults
from equipoise.lab.reports.chart import Chart, Panel, Series
from equipoise.lab.reports.palette import Look
from equipoise.lab.settings import a_few


def differences(summary: Summary, look: Mapping[str, Look]) -> Chart:
    """Each method minus the plain sum, with its 95 % interval, and Δm against single-task networks."""
    panels = []
    for metric in summary.drawn:
        rows = [(row, row.score(metric.task).to_sum) for row in summary.rows]
        shown = [(row.method, c.interval, c.verdict) for row, c in rows if c is not None]
        if shown:
            direction = "better →" if metric.higher_is_better else "← better"
            panels.append(_forest(metric.task, f"difference in {metric.name} · {direction}", shown, look))
    deltas = [(row.method, row.delta_m, "") for row in summary.rows if row.delta_m is not None]
    deltas = [(method, d, word) for method, d, word in deltas if isfinite(d.mean)]
    if deltas:
        panels.append(_forest("Δm, all tasks", "Δm in percent · ← better", deltas, look, ".2f"))
    return Chart(
        "differences",
        "Differences with their intervals",
        "A mark is the mean difference over the seeds, its line the paired-t 95 % interval. A line that crosses "
        "zero is compatible with no difference. Filled marks remain significant after Holm's correction for "
        "all comparisons of the study; hollow ones do not. Δm compares with single-task networks and is not "
        "tested: its marks are hollow.",
        tuple(panels),
        missing=f"No differences: they need runs of {summary.baselines.reference}, or of single-task networks, with "
        "the same seeds as another method.",
    )


def changes(two: TwoStudies, look: Mapping[str, Look]) -> Chart:
    """The second study minus the first, of every method, with its interval."""
    panels = []
    for metric in two.metrics:
        paired = [(change.method, change.comparison) for change in two.changes if change.task == metric.task]
        shown = [(method, one.interval, one.verdict) for method, one in paired if one is not None]
        if shown:
            direction = "second is better →" if metric.higher_is_better else "← second is better"
            panels.append(_forest(metric.task, f"difference in {metric.name} · {direction}", shown, look))
    return Chart(
        "differences",
        "Differences between the studies",
        "A mark is the mean difference over the seeds of both studies, its line the paired-t 95 % interval. Filled "
        "marks remain significant after Holm's correction for all comparisons of this page.",
        tuple(panels),
        missing="No differences: nothing can be paired by seed.",
    )


def tradeoff(study: StudyResults, look: Mapping[str, Look]) -> Chart:
    """One task's test metric against another's."""
    panels = []
    for a, b in combinations(a_few(study.tasks), 2):
        faint, strong = [], []
        for method in study.methods:
            of_a, of_b = study.values[method][a], study.values[method][b]
            seeds = sorted(set(of_a) & set(of_b))
            if not seeds:
                continue
            x, y = tuple(of_a[s] for s in seeds), tuple(of_b[s] for s in seeds)
            if len(seeds) > 1:
                hover = tuple(f"{look[method].label}, seed {s}\n{a}: {of_a[s]:.4g}\n{b}: {of_b[s]:.4g}" for s in seeds)
                faint.append(Series("points", method, x, y, strong=False, what=look[method].label, hover=hover))
            of = f"mean of {len(seeds)} seeds" if len(seeds) > 1 else f"seed {seeds[0]}"
            text = f"{of}\n{a}: {fmean(x):.4g}\n{b}: {fmean(y):.4g}"
            strong.append(Series("points", method, (fmean(x),), (fmean(y),), what=look[method].label, hover=(text,)))
        if strong:
            on_x, on_y = study.metric(a), study.metric(b)
            panels.append(
                Panel(
                    f"{a} and {b}",
                    f"{a}: {_directed(on_x)}",
                    f"{b}: {_directed(on_y)}",
                    (*faint, *strong),
                    better=(1 if on_x.higher_is_better else -1, 1 if on_y.higher_is_better else -1),
                )
            )
    return Chart(
        "tradeoff",
        "Trade-off between tasks",
        "Test metrics of two tasks against each other: small marks are seeds, large ones their means; the corner "
        "named better is where both tasks gain. The mark of the single-task networks pairs two networks of the same "
        "seed. Means that lie within the scatter of each other's seeds are no ranking.",
        tuple(panels),
        missing="No trade-off: it needs test results of at least two tasks.",
    )


def costs(study: StudyResults, look: Mapping[str, Look]) -> Chart:
    """Seconds per step, backward passes and memory of each method."""
    quantities: tuple[tuple[str, str, Callable[[Sequence[float]], float], Callable[[RunCost], float]], ...] = (
        ("Time", "seconds per step (median)", sum, lambda c: c.seconds_per_step),
        ("Backward passes", "backward passes per step", sum, lambda c: c.backwards_per_step),
        ("Memory", "peak memory in MB", max, lambda c: c.peak_memory_mb),
    )
    methods = [m for m in study.methods if study.costs_of(m)]
    panels = []
    for title, words, together, value in quantities:
        bars, dots = [], []
        for row, method in enumerate(methods):
            by_seed = {seed: together([value(c) for c in rows]) for seed, rows in study.costs_of(method).items()}
            middle = median(by_seed.values())
            text = f"median of {counted(len(by_seed), 'run')}\n{words}: {middle:.4g}"
            bars.append(Series("bar", method, (middle,), (row,), what=look[method].label, hover=(text,)))
            if len(by_seed) > 1:
                hover = tuple(f"seed {s}\n{words}: {v:.4g}" for s, v in by_seed.items())
                x, y = tuple(by_seed.values()), (float(row),) * len(by_seed)
                dots.append(
                    Series("points", method, x, y, strong=False, hollow=True, what=look[method].label, hover=hover)
                )
        if bars:
            panels.append(Panel(title, words, "", (*bars, *dots), rows=tuple(look[m].label for m in methods)))
    return Chart(
        "costs",
        "Costs",
        "Bars are medians over the runs, small marks the runs. The bar of the single-task networks is what all of them "
        "cost together: the sum of their steps, the largest of their memories.",
        tuple(panels),
        missing="No costs: costs.csv has no rows.",
    )


def _forest(
    title: str, x_title: str, shown: Sequence[tuple[str, Interval, str]], look: Mapping[str, Look], form: str = ".4g"
) -> Panel:
    """A row for each method with the mean of its interval and the interval; filled where the verdict is significant."""
    series = []
    for place, (method, interval, verdict) in enumerate(shown):
        has_interval = isfinite(interval.low) and isfinite(interval.high)
        low, high = (interval.low, interval.high) if has_interval else (interval.mean, interval.mean)
        bounds = f"95 % interval {low:+{form}} to {high:+{form}}" if has_interval else "no interval"
        text = f"{interval.mean:+{form}}\n{bounds}, {counted(interval.n, 'seed')}"
        series.append(
            Series(
                "interval",
                method,
                (interval.mean,),
                (place,),
                hollow=verdict not in ("better", "worse"),
                low=(low,),
                high=(high,),
                what=look[method].label,
                hover=(f"{text}\n{verdict}" if verdict else text,),
            )
        )
    return Panel(title, x_title, "", tuple(series), rows=tuple(look[method].label for method, _, _ in shown), zero="x")


def _directed(metric: TaskMetric) -> str:
    return f"{metric.name}, {'higher' if metric.higher_is_better else 'lower'} is better"


def critical_differences(summary: Summary, look: Mapping[str, Look]) -> Chart:
    """Each method at its mean rank, best on top, with half a critical difference to either side."""
    return Chart(
        "ranks",
        "Ranks and their critical difference",
        "Within each seed the methods are ranked by their mean rank over the tasks, 1 is best; a mark is the mean "
        "of these ranks, its line Nemenyi's critical difference at 5 %, half to either side. Where Friedman's test "
        "finds a difference (filled marks), two methods whose lines do not overlap differ significantly; where it "
        "does not (hollow marks), none do. Its blocks are the seeds: the tasks of one network share their chance.",
        _panels(summary, look),
        missing="No ranks: they need at least 3 methods with 2 seeds in common.",
        notes=_notes(summary),
    )


def _panels(summary: Summary, look: Mapping[str, Look]) -> tuple[Panel, ...]:
    ranks = summary.ranks
    if ranks is None:
        return ()
    reach = ranks.critical_difference / 2
    order = sorted(zip(ranks.mean_ranks, ranks.names, strict=True))
    series = tuple(
        Series(
            "interval",
            name,
            (rank,),
            (place,),
            hollow=not ranks.differs,
            low=(rank - reach,),
            high=(rank + reach,),
            what=look[name].label,
            hover=(f"mean rank {rank:.2f}\ncritical difference {ranks.critical_difference:.2f}, {ranks.blocks} seeds",),
        )
        for place, (rank, name) in enumerate(order)
    )
    x_title = f"mean rank over {ranks.blocks} seeds · ← better"
    return (Panel("All tasks", x_title, "", series, rows=tuple(look[name].label for _, name in order)),)


def _notes(summary: Summary) -> tuple[str, ...]:
    ranks = summary.ranks
    if ranks is None:
        return ()
    family = all_of(summary.tested, "comparison")
    test = f"Friedman's test: p = {ranks.p_value:.2g}, {ranks.p_adjusted:.2g} among {family} of the study"
    test += f"; critical difference {ranks.critical_difference:.2f}."
    same = "; ".join(listing(group) for group in ranks.groups if len(group) > 1)
    return (test, f"No significant difference by rank: {same}." if same else "All differ significantly by rank.")
