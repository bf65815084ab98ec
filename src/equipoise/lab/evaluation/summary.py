"""What a study says: the figures of its table, a verdict in words, and what to do."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from equipoise.lab.evaluation.advice import Advice, Runs, advise
from equipoise.lab.evaluation.cautions import BaselineScores, baseline_cautions, fit_cautions
from equipoise.lab.evaluation.costs import Budgets, EqualTime, equal_time, method_costs, unequal
from equipoise.lab.evaluation.findings import details_of
from equipoise.lab.evaluation.fit import RunFits, run_fits
from equipoise.lab.evaluation.headline import headline_of
from equipoise.lab.evaluation.looks import level_of, look_notes
from equipoise.lab.evaluation.many import MeanOver, TaskSpread, some_tasks, spread_of
from equipoise.lab.evaluation.metric import BASELINES, SINGLE_TASK, Baselines, Question, TaskMetric, Values
from equipoise.lab.evaluation.notes import (
    SAME_TRAINING,
    alone_notes,
    baseline_notes,
    check_notes,
    frozen_notes,
    gap_notes,
    loss_notes,
    postponed_note,
    step_notes,
    tuning_notes,
)
from equipoise.lab.evaluation.numbers import of_seeds
from equipoise.lab.evaluation.statistics import LEVEL, RankTest
from equipoise.lab.evaluation.study import Curves, RunCost, StudyResults
from equipoise.lab.evaluation.table import Row, make_table
from equipoise.lab.settings import MANY_TASKS, a_few


@dataclass(frozen=True)
class Summary:
    """Everything that the terminal's table and the report show of a study.

    Verdicts hold for all of the study at once: the family of every comparison with the plain sum and with
    single-task, and of Friedman's test. Intervals are each by themselves.
    """

    case: str
    title: str
    seeds: tuple[int, ...]
    metrics: tuple[TaskMetric, ...]  # the primary one of each task, in order
    rows: tuple[Row, ...]  # single-task first, then in the order of the study
    ranks: RankTest | None  # by seed
    tested: int  # comparisons in the family
    unequal: tuple[str, ...]  # in what the methods' budgets differ
    equal_time: EqualTime | None  # validation when the cheapest method is done
    notes: tuple[str, ...]  # what is missing or did not stay finite
    complete: bool
    headline: str  # the verdict in one sentence of at most 25 words
    advice: Advice  # what to do, in another
    details: tuple[str, ...] = ()  # what else was found
    baseline_scores: BaselineScores = field(default_factory=dict)  # of models of scikit-learn, never compared
    cautions: tuple[str, ...] = ()  # what to know before any comparison
    question: Question = ""  # the one that the study asks, if it asks one
    level: float = LEVEL  # of the verdicts, in all
    values: Values = field(default_factory=dict)
    baselines: Baselines = BASELINES
    means: tuple[MeanOver, ...] = ()  # over many tasks, which are compared first

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks, in order."""
        return tuple(metric.task for metric in self.metrics)

    @property
    def shown(self) -> tuple[TaskMetric, ...]:
        """What has a column in tables: every task, or of many their means."""
        return tuple(mean.metric for mean in self.means) or self.metrics

    @property
    def drawn(self) -> tuple[TaskMetric, ...]:
        """What has a figure: every task, or of many their means and a few of them."""
        few = a_few(self.tasks)
        return (*(mean.metric for mean in self.means), *(metric for metric in self.metrics if metric.task in few))

    @property
    def spreads(self) -> tuple[TaskSpread, ...]:
        """Of many tasks, how each method's differences are spread over them; empty for up to 20."""
        found = []
        for row in self.rows if self.means else ():
            for other in dict.fromkeys(other for score in row.means.values() for other in score.to):
                tasks = {task: one for task, score in row.scores.items() if (one := score.to.get(other))}
                sides = {task: (one.mean, one.other, one.verdict) for task, one in tasks.items()}
                found.append(spread_of((row.method, other), self.means[0], sides))
        return tuple(filter(None, found))

    @property
    def shown_baselines(self) -> BaselineScores:
        """Models of scikit-learn that have a score in what is shown; of many tasks they have learned too few."""
        shown = {metric.task for metric in self.shown}
        return {name: of for name, of in self.baseline_scores.items() if shown & {*of}}

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods in the table, without single-task."""
        return tuple(row.method for row in self.rows if row.method != self.baselines.single_task)

    @property
    def finds(self) -> bool:
        """Whether any verdict, or the test of the ranks, is significant."""
        words = [one.verdict for row in self.rows for score in row.primary.values() for one in score.to.values()]
        return bool(self.ranks and self.ranks.differs) or any(word in ("better", "worse") for word in words)

    def row(self, method: str) -> Row | None:
        """The row of a method, None if it is not in the table."""
        return next((row for row in self.rows if row.method == method), None)

    @classmethod
    def from_folder(cls, folder: Path) -> "Summary":
        """Read the folder of a study.

        Raises:
            ValueError: the folder holds no study, no finished run of it, a damaged file or a link that leads out.
        """
        return cls.of_study(StudyResults.from_folder(folder))

    @classmethod
    def of_study(cls, results: StudyResults) -> "Summary":
        """Judge the results of a study.

        Raises:
            ValueError: There is no finished run yet.
        """
        study = results.settings
        if not {name for name, _, _ in results.test_values} & {SINGLE_TASK, *study["methods"]}:
            raise ValueError(f"{results.folder} holds no finished run yet")
        alone = study.get("single_task")  # tasks that have such networks; a loop has none
        return cls.from_values(
            results.test_values,
            results.metrics,
            (*([] if study.get("loop") or alone == [] else [SINGLE_TASK]), *study["methods"]),
            study["seeds"],
            title=study["title"],
            case=study["case"],
            question=study.get("question", ""),
            level=level_of(study),
            notes=(
                *study.get("notes", ()),  # on the data
                *look_notes(study),
                *postponed_note(study),
                *alone_notes(study),
                *tuning_notes(study),
                *frozen_notes(study),
                *baseline_notes(results),
            ),
            baselines=some_tasks(BASELINES, alone),
            costs=results.costs,
            curves=results.curves,
            budgets=_budgets(study),
            complete=study["complete"],
            fits=run_fits(results),
            baseline_scores=results.baseline_scores,
            runs="loop" if study.get("loop") else "case",
        )

    @classmethod
    def from_values(
        cls,
        found: Mapping[tuple[str, str, int], float],
        metrics: Sequence[TaskMetric],
        methods: Sequence[str],
        seeds: Sequence[int],
        *,
        title: str,
        case: str = "",
        question: Question = "",
        level: float = LEVEL,
        notes: Sequence[str] = (),
        costs: Sequence[RunCost] = (),
        curves: Curves | None = None,
        budgets: Budgets | None = None,
        baselines: Baselines = BASELINES,
        complete: bool = True,
        fits: RunFits | None = None,
        baseline_scores: BaselineScores | None = None,
        runs: Runs = "case",
    ) -> "Summary":
        """The one way from values to a verdict, whoever measured them.

        Args:
            found: The primary test metric by (method, task, seed); one that is not finite is left out, and noted.
            metrics: The primary one of each task, in the order of the tasks.
            methods: Those asked for, in order; what has no value is noted.
            seeds: Those asked for.
            title: Of the study.
            case: Its name.
            question: The one that it asks.
            level: Of all verdicts together.
            notes: What a reader has to know beside the values.
            costs: The rows of costs.csv.
            curves: Of the validation metrics.
            budgets: Of the methods, by which they may be unequal.
            baselines: What the others are compared with.
            complete: Whether nothing is still to be run.
            fits: Whether the runs were trained long enough; None where it is not known.
            baseline_scores: The primary test metric of models of scikit-learn, by model and task; not compared.
            runs: Where the values come from.
        """
        values, missing = _by_method(found, metrics, methods, seeds, baselines)
        spent = method_costs(costs, sum(baselines.has(metric.task) for metric in metrics))
        table = make_table(values, metrics, spent, question, seeds=len(seeds), level=level, baselines=baselines)
        told = tuple(mean.metric for mean in table.means) or metrics
        differing = unequal(budgets or {}, spent)
        return cls(
            case=case,
            title=title,
            seeds=tuple(seeds),
            metrics=tuple(metrics),
            rows=table.rows,
            ranks=table.ranks,
            tested=table.tested,
            unequal=differing,
            equal_time=None if table.means else equal_time(curves or {}, costs, metrics),
            notes=(*missing, *notes, *loss_notes(table), *step_notes(costs), *check_notes(table)),
            complete=complete,
            headline=headline_of(table, told, len(seeds)),
            advice=advise(table, metrics, runs=runs, fits=fits),
            details=details_of(table, told),
            question=table.question,
            baseline_scores=baseline_scores or {},
            cautions=(
                *(fit_cautions(fits) if fits else ()),
                *baseline_cautions(baseline_scores or {}, values, metrics),
            ),
            level=level,
            values=values,
            baselines=baselines,
            means=table.means,
        )


def _by_method(
    found: Mapping[tuple[str, str, int], float],
    metrics: Sequence[TaskMetric],
    asked: Sequence[str],
    seeds: Sequence[int],
    baselines: Baselines,
) -> tuple[Values, list[str]]:
    """The finite values of the methods that have any run, and notes on what is not there."""
    ran = {method for method, _, _ in found}
    methods = [name for name in asked if name in ran]
    values: dict[str, dict[str, dict[int, float]]] = {method: {} for method in methods}
    absent: dict[tuple[str, str], tuple[int, ...]] = {}
    broken = []
    for method in methods:
        for metric in metrics:
            keys = {seed: (method, metric.task, seed) for seed in seeds}
            there = {seed: found[key] for seed, key in keys.items() if key in found}
            values[method][metric.task] = {s: value for s, value in there.items() if math.isfinite(value)}
            if method != baselines.single_task or baselines.has(metric.task):
                absent[method, metric.task] = tuple(seed for seed in seeds if seed not in there)
            if odd := [seed for seed in there if not math.isfinite(there[seed])]:
                broken.append(f"{method} on {metric.task}: {metric.name} is not finite for {of_seeds(odd)}; left out.")
    without = [name for name in asked if name not in ran]
    same = baselines.single_task in without and len(metrics) == 1 and baselines.reference in asked
    if same:
        without.remove(baselines.single_task)
    if len(broken) > MANY_TASKS:
        broken = [*broken[:1], f"The same of {len(broken) - 1} more methods and tasks, see runs.csv."]
    return values, [*([SAME_TRAINING] if same else []), *gap_notes(without, absent, len(metrics)), *broken]


def _budgets(study: Mapping[str, Any]) -> Budgets:
    """Those that a comparison may rest on; empty for a study of an older version.

    The question freeze sets a method beside its own schedule: that this takes its training first is no advantage.
    """
    told = {"trainings"} if study.get("question", "") == "freeze" else set()
    budgets: Budgets = study.get("budgets", {})
    return {method: {key: budget[key] for key in budget if key not in told} for method, budget in budgets.items()}
