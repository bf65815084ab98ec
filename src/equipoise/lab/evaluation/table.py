"""The table of a study: methods x tasks, each difference with interval and verdict, all of it one family."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from statistics import fmean, stdev

from equipoise.lab.arms import StudyArm, parse_arm
from equipoise.lab.evaluation.checks import too_many_missing
from equipoise.lab.evaluation.comparison import Comparison, compare_by_seed, judged_comparison, missing_of
from equipoise.lab.evaluation.costs import MethodCost, step_ratio
from equipoise.lab.evaluation.many import MeanOver, adjusted_within, has_values, mean_values, means_over
from equipoise.lab.evaluation.metric import BASELINES, TUNED, Baselines, Question, TaskMetric, Values, pairs_of
from equipoise.lab.evaluation.scores import Against, Skills, against, mean_ranks, ranks_by_seed, skills_of
from equipoise.lab.evaluation.statistics import LEVEL, Interval, RankTest, holm

Compared = Sequence[tuple[str, str, Comparison]]  # method, task, comparison with another


@dataclass(frozen=True)
class Score:
    """A method on a task: its primary test metric over the seeds that have a finite one.

    ``to`` holds the comparisons with other methods, by their names, where there are pairs of runs. ``mean`` is NaN
    without a finite value, ``spread`` (the standard deviation) with fewer than two.
    """

    mean: float
    spread: float
    seeds: tuple[int, ...]
    to: Mapping[str, Comparison] = field(default_factory=dict)
    baselines: Baselines = BASELINES

    @property
    def to_sum(self) -> Comparison | None:
        """With the reference."""
        return self.to.get(self.baselines.reference)

    @property
    def to_single_task(self) -> Comparison | None:
        """With the network of this task alone."""
        return self.to.get(self.baselines.single_task)


@dataclass(frozen=True)
class Row:
    """One method of the table; ``single-task`` is one network for each task, its cost that of all of them.

    ``means`` are the scores of means over many tasks, which are then compared first; empty for up to 20.
    ``against`` holds Δm and its kin against single-task; ``cost_ratio`` is in units of the plain sum. What
    cannot be computed is None.
    """

    arm: StudyArm
    scores: Mapping[str, Score]
    mean_rank: float | None
    skills: Skills | None
    against: Against | None
    cost: MethodCost | None
    cost_ratio: float | None
    means: Mapping[str, Score] = field(default_factory=dict)

    @property
    def primary(self) -> Mapping[str, Score]:
        """What is compared first: each task, or of many tasks their means."""
        return self.means or self.scores

    def score(self, task: str) -> Score:
        """Of a task, or of a mean over tasks."""
        return self.means[task] if task in self.means else self.scores[task]

    @property
    def method(self) -> str:
        """The name of its arm."""
        return str(self.arm)

    @property
    def delta_m(self) -> Interval | None:
        """Δm in percent against single-task, over seeds, lower is better."""
        return self.against.delta_m if self.against else None

    @property
    def seconds_per_step(self) -> float | None:
        """Median over seeds."""
        return self.cost.seconds_per_step if self.cost and self.cost.seconds_per_step > 0 else None


@dataclass(frozen=True)
class ComparisonTable:
    """The rows in the order of the values, the ranks by seed (None for fewer than 3 methods or 2 seeds).

    ``question`` decides which comparisons were made; with one there are no ranks.
    ``tested`` counts the family: every comparison with a p-value, of many tasks of their means, and Friedman's test.
    ``means`` are those over many tasks, the first over all.
    ``level`` is that of the verdicts, in all; below 5 % at one of several planned looks.
    ``incomplete`` names the methods that lack more than a tenth of their runs, with what they lack; none is ranked.
    ``tuned_is_sum`` says that the search for fixed weights ended at equal ones; tuned is then compared with nothing.
    """

    rows: tuple[Row, ...]
    ranks: RankTest | None
    tested: int
    question: Question = ""
    tuned_is_sum: bool = False
    level: float = LEVEL
    incomplete: Mapping[str, str] = field(default_factory=dict)
    baselines: Baselines = BASELINES
    means: tuple[MeanOver, ...] = ()

    @property
    def compared(self) -> Compared:
        """The comparisons that the study is about: with the reference, or those of its question."""
        if not self.question:
            return self.compared_with(self.baselines.reference)
        return [
            (row.method, t, one) for row in self.rows for t, score in row.primary.items() for one in score.to.values()
        ]

    def compared_with(self, other: str) -> Compared:
        """Every comparison with a method."""
        found = [(row.method, task, score.to.get(other)) for row in self.rows for task, score in row.primary.items()]
        return [(method, task, one) for method, task, one in found if one is not None]

    def row(self, method: str) -> Row | None:
        """The row of a method, None if it is not in the table."""
        return next((row for row in self.rows if row.method == method), None)

    def cost_ratio(self, method: str) -> float:
        """Seconds per step in units of the reference; infinite where not known, to be chosen last."""
        row = self.row(method)
        return inf if row is None or row.cost_ratio is None else row.cost_ratio

    def is_whole(self, method: str) -> bool:
        """Whether a method has a finite score wherever the reference has one: a run that diverged is no gain."""
        plain, mine = self.row(self.baselines.reference), self.row(method)
        if plain is None or mine is None:
            return False
        return all(set(score.seeds) <= set(mine.scores[task].seeds) for task, score in plain.scores.items())


def _cost_ratio(one: MethodCost | None, other: MethodCost | None) -> float | None:
    """Seconds per step of one method over another's, where both are known."""
    ratio = step_ratio(one.step_seconds, other.step_seconds) if one and other else 0.0
    return ratio if ratio > 0 else None


def make_table(
    values: Values,
    metrics: Sequence[TaskMetric],
    costs: Mapping[str, MethodCost],
    question: Question = "",
    *,
    seeds: int | None = None,
    level: float = LEVEL,
    baselines: Baselines = BASELINES,
) -> ComparisonTable:
    """Everything that a study's values say; where no method differs, 5 % of such tables say "different" anywhere.

    Args:
        values: Of the methods, by name.
        metrics: The primary one of each task.
        costs: Of the methods, as far as known.
        question: The one that is asked, if so.
        seeds: How many were asked for; None: as many as there are.
        level: Of all verdicts together; adjusted p-values are given in units of it, so that they are compared with 5 %.
        baselines: What the others are compared with.
    """
    asked = (
        len({seed for by_task in values.values() for one in by_task.values() for seed in one})
        if seeds is None
        else seeds
    )
    incomplete = _incomplete(values, asked, baselines)
    tuned_is_sum = not question and TUNED in values and values[TUNED] == values.get(baselines.reference)
    tried = {name: found for name, found in values.items() if not (tuned_is_sum and name == TUNED)}
    ranked = {name: found for name, found in tried.items() if name not in incomplete}
    ranks = None if question else ranks_by_seed(ranked, metrics, baselines.single_task)
    arms = {name: parse_arm(name) for name in values}
    pairs = pairs_of([arms[name] for name in tried], question, baselines)
    named = [(str(arm), str(other)) for arm, other in pairs]
    compared = _compare(named, values, metrics)
    means = means_over(metrics, baselines, values)
    whole = mean_values(values, means)
    first = compared if not means else _compare_means(named, whole, means, baselines)
    adjusted = holm([one.interval.p_value for one in first.values()] + ([ranks.p_value] if ranks else []))
    adjusted = [_in_units_of(level, p) for p in adjusted]
    p_values = dict(zip(first, adjusted, strict=False))
    if means:
        of_tasks = {key: _in_units_of(level, one.interval.p_value) for key, one in compared.items()}
        p_values |= adjusted_within(p_values, of_tasks)
    higher = {metric.task: metric.higher_is_better for metric in (*metrics, *(mean.metric for mean in means))}
    found: dict[str, dict[str, dict[str, Comparison]]] = {}
    for (name, other, task), one in {**compared, **first}.items():
        sides = whole if (name, other, task) in first and means else values
        found.setdefault(name, {}).setdefault(task, {})[other] = judged_comparison(
            replace(one, p_adjusted=p_values[name, other, task]),
            higher_is_better=higher[task],
            runs=[(side, len(sides[side][task]), asked) for side in (name, other)],
        )
    by_rank, alone = mean_ranks(values, metrics, baselines.single_task), values.get(baselines.single_task, {})
    with_alone = [metric for metric in metrics if baselines.has(metric.task)]
    rows = tuple(
        Row(
            arms[name],
            {task: _score(by_seed, found.get(name, {}).get(task, {}), baselines) for task, by_seed in by_task.items()},
            by_rank.get(name),
            skills_of(by_task, metrics),
            against(by_task, alone, with_alone) if name != baselines.single_task and with_alone else None,
            costs.get(name),
            _cost_ratio(costs.get(name), costs.get(baselines.reference)),
            {
                task: _score(by_seed, found.get(name, {}).get(task, {}), baselines)
                for task, by_seed in whole[name].items()
            },
        )
        for name, by_task in values.items()
    )
    return ComparisonTable(
        rows,
        ranks and replace(ranks, p_adjusted=adjusted[-1]),
        sum(p == p for p in adjusted),
        question,
        tuned_is_sum,
        level,
        incomplete,
        baselines,
        means,
    )


def _incomplete(values: Values, asked: int, baselines: Baselines) -> dict[str, str]:
    """What is missing of each method that lacks more than a tenth of its runs, on the task that lacks most.

    A task of which no method has a value says nothing of runs.
    """

    def counts(name: str, task: str) -> bool:
        return has_values(task, values, baselines) and (name != baselines.single_task or baselines.has(task))

    fewest = {
        name: min(
            (len(found) for task, found in by_task.items() if counts(name, task)),
            default=asked if name == baselines.single_task else 0,
        )
        for name, by_task in values.items()
    }
    return {name: missing_of(name, n, asked) for name, n in fewest.items() if too_many_missing(n, asked)}


def _in_units_of(level: float, p: float) -> float:
    """An adjusted p-value that is below 5 % where ``p`` is below the level; NaN stays."""
    return p if p != p else min(1.0, p * LEVEL / level) if level else 1.0


def _score(by_seed: Mapping[int, float], to: Mapping[str, Comparison], baselines: Baselines) -> Score:
    found = list(by_seed.values())
    mean = fmean(found) if found else float("nan")
    spread = stdev(found) if len(found) > 1 else float("nan")
    return Score(mean, spread, tuple(by_seed), to, baselines)


def _compare(
    pairs: Sequence[tuple[str, str]], values: Values, metrics: Sequence[TaskMetric]
) -> dict[tuple[str, str, str], Comparison]:
    """Each method against another on each task, where there are seeds of both; not judged yet."""
    found = {}
    for name, other in pairs:
        for metric in metrics:
            mine, theirs = values[name][metric.task], values.get(other, {}).get(metric.task, {})
            if (one := compare_by_seed(mine, theirs, metric)) is not None:
                found[name, other, metric.task] = one
    return found


def _compare_means(
    pairs: Sequence[tuple[str, str]], whole: Values, means: Sequence[MeanOver], baselines: Baselines
) -> dict[tuple[str, str, str], Comparison]:
    """Each pair on the mean over all tasks, or on that over the tasks that single-task networks have."""
    alone = [pair for pair in pairs if pair[1] == baselines.single_task]
    found = _compare([pair for pair in pairs if pair not in alone], whole, [means[0].metric])
    return found | _compare(alone, whole, [means[-1].metric])
