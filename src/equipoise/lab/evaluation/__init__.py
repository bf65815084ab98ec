"""What a study's numbers mean: intervals, corrected verdicts, Δm, and a summary in words."""

from equipoise.lab.evaluation.advice import Advice
from equipoise.lab.evaluation.aggregates import RATIO_FORMULA, Against, Skills
from equipoise.lab.evaluation.between import Change, changes
from equipoise.lab.evaluation.checks import Check, check_differences, outlier, sign_test
from equipoise.lab.evaluation.costs import EqualTime, MethodCost, Reached, unequal
from equipoise.lab.evaluation.fit import RULE as FIT_RULE
from equipoise.lab.evaluation.fit import Fit, judge_fit
from equipoise.lab.evaluation.folder import printable, read_rows, read_study
from equipoise.lab.evaluation.hypervolume import hypervolume
from equipoise.lab.evaluation.judgement import Decision, Judgement, judgement_of
from equipoise.lab.evaluation.looks import levels, planned_looks
from equipoise.lab.evaluation.metric import REFERENCE, SINGLE_TASK, TUNED, Baselines, TaskMetric
from equipoise.lab.evaluation.numbers import all_of, counted, listing, percent, show
from equipoise.lab.evaluation.pairs import Question, pairs_of
from equipoise.lab.evaluation.ranks import RankTest, critical_difference, rank_test
from equipoise.lab.evaluation.scores import (
    AVERAGE_FORMULA,
    FORMULA,
    SCORE_FORMULA,
    SKILL_FORMULA,
    aggregated_score,
    average_task_performance,
    delta_m,
    delta_m_by_task,
    mean_rank,
    median_delta_m,
    relative_changes,
    skills,
    worst_delta_m,
    worst_task,
)
from equipoise.lab.evaluation.statistics import Interval, Verdict, holm, paired_t, power, seeds_to_show, verdict
from equipoise.lab.evaluation.study import StudyResults, fit_of, has_diverged
from equipoise.lab.evaluation.summary import Summary
from equipoise.lab.evaluation.table import Comparison, ComparisonTable, Row, Score, make_table

__all__ = [
    "AVERAGE_FORMULA",
    "FIT_RULE",
    "FORMULA",
    "RATIO_FORMULA",
    "REFERENCE",
    "SCORE_FORMULA",
    "SINGLE_TASK",
    "SKILL_FORMULA",
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
    "Verdict",
    "aggregated_score",
    "all_of",
    "average_task_performance",
    "changes",
    "check_differences",
    "counted",
    "critical_difference",
    "delta_m",
    "delta_m_by_task",
    "fit_of",
    "has_diverged",
    "holm",
    "hypervolume",
    "judge_fit",
    "judgement_of",
    "levels",
    "listing",
    "make_table",
    "mean_rank",
    "median_delta_m",
    "outlier",
    "paired_t",
    "pairs_of",
    "percent",
    "planned_looks",
    "power",
    "printable",
    "rank_test",
    "read_rows",
    "read_study",
    "relative_changes",
    "seeds_to_show",
    "show",
    "sign_test",
    "skills",
    "unequal",
    "verdict",
    "worst_delta_m",
    "worst_task",
]
