"""What a study's numbers mean: intervals, corrected verdicts, Δm, and a summary in words."""

from equipoise.lab.evaluation.delta_m import (
    FORMULA,
    delta_m,
    delta_m_by_task,
    mean_rank,
    median_delta_m,
    relative_changes,
    worst_delta_m,
)
from equipoise.lab.evaluation.hypervolume import hypervolume
from equipoise.lab.evaluation.scores import (
    AVERAGE_FORMULA,
    SCORE_FORMULA,
    SKILL_FORMULA,
    aggregated_score,
    average_task_performance,
    skills,
    worst_task,
)
from equipoise.lab.evaluation.statistics import Interval, Verdict, holm, paired_t, verdict
from equipoise.lab.evaluation.summary import Summary
from equipoise.lab.evaluation.table import REFERENCE, SINGLE_TASK, Comparison, Row, Score, TaskMetric
from equipoise.lab.evaluation.words import listing, percent, show

__all__ = [
    "AVERAGE_FORMULA",
    "FORMULA",
    "REFERENCE",
    "SCORE_FORMULA",
    "SINGLE_TASK",
    "SKILL_FORMULA",
    "Comparison",
    "Interval",
    "Row",
    "Score",
    "Summary",
    "TaskMetric",
    "Verdict",
    "aggregated_score",
    "average_task_performance",
    "delta_m",
    "delta_m_by_task",
    "holm",
    "hypervolume",
    "listing",
    "mean_rank",
    "median_delta_m",
    "paired_t",
    "percent",
    "relative_changes",
    "show",
    "skills",
    "verdict",
    "worst_delta_m",
    "worst_task",
]
