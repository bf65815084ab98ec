"""What a study's numbers mean: intervals, corrected verdicts, Δm, and a summary in words."""

from equipoise.lab import extra  # noqa: F401
from equipoise.lab.evaluation.advice import Advice
from equipoise.lab.evaluation.checks import Check, check_differences, outlier, sign_test
from equipoise.lab.evaluation.comparison import Comparison
from equipoise.lab.evaluation.costs import EqualTime, MethodCost, Reached, unequal
from equipoise.lab.evaluation.fit import FIT_RULE, RUN_RULE, Fit, fit_of, has_diverged, judge_fit, judge_run, run_fits
from equipoise.lab.evaluation.folder import printable
from equipoise.lab.evaluation.hypervolume import hypervolume
from equipoise.lab.evaluation.judgement import Decision, Judgement, judgement_of
from equipoise.lab.evaluation.looks import levels, planned_looks
from equipoise.lab.evaluation.many import TaskSpread
from equipoise.lab.evaluation.metric import REFERENCE, SINGLE_TASK, TUNED, Baselines, Question, TaskMetric, pairs_of
from equipoise.lab.evaluation.numbers import all_of, counted, give_minutes, listing, show, signed, with_interval
from equipoise.lab.evaluation.scores import (
    FORMULA,
    RATIO_FORMULA,
    Against,
    Skills,
    aggregated_score,
    average_task_performance,
    delta_m,
    mean_rank,
    median_delta_m,
    relative_changes,
    skills,
    worst_task,
)
from equipoise.lab.evaluation.statistics import (
    Interval,
    RankTest,
    Verdict,
    benjamini_hochberg,
    critical_difference,
    holm,
    paired_t,
    power,
    rank_test,
    seeds_to_show,
    verdict,
)
from equipoise.lab.evaluation.study import StudyResults
from equipoise.lab.evaluation.summary import Summary
from equipoise.lab.evaluation.table import ComparisonTable, Row, Score, make_table
from equipoise.lab.evaluation.two_studies import Change, TwoStudies, changes

__all__ = [
    "FIT_RULE",
    "FORMULA",
    "RATIO_FORMULA",
    "REFERENCE",
    "RUN_RULE",
    "SINGLE_TASK",
    "TUNED",
    "Advice",
    "Against",
    "Baselines",
    "Change",
    "Check",
    "Comparison",
    "ComparisonTable",
    "Decision",
    "EqualTime",
    "Fit",
    "Interval",
    "Judgement",
    "MethodCost",
    "Question",
    "RankTest",
    "Reached",
    "Row",
    "Score",
    "Skills",
    "StudyResults",
    "Summary",
    "TaskMetric",
    "TaskSpread",
    "TwoStudies",
    "Verdict",
    "aggregated_score",
    "all_of",
    "average_task_performance",
    "benjamini_hochberg",
    "changes",
    "check_differences",
    "counted",
    "critical_difference",
    "delta_m",
    "fit_of",
    "give_minutes",
    "has_diverged",
    "holm",
    "hypervolume",
    "judge_fit",
    "judge_run",
    "judgement_of",
    "levels",
    "listing",
    "make_table",
    "mean_rank",
    "median_delta_m",
    "outlier",
    "paired_t",
    "pairs_of",
    "planned_looks",
    "power",
    "printable",
    "rank_test",
    "relative_changes",
    "run_fits",
    "seeds_to_show",
    "show",
    "sign_test",
    "signed",
    "skills",
    "unequal",
    "verdict",
    "with_interval",
    "worst_task",
]
