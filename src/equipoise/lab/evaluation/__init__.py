"""What a study's numbers mean: intervals, corrected verdicts, Δm, and a summary in words."""

from equipoise.lab.evaluation.delta_m import FORMULA, delta_m, mean_rank
from equipoise.lab.evaluation.statistics import Interval, Verdict, holm, paired_t, verdict
from equipoise.lab.evaluation.summary import Summary
from equipoise.lab.evaluation.table import REFERENCE, SINGLE_TASK, Comparison, Row, Score, TaskMetric
from equipoise.lab.evaluation.words import listing, percent, show

__all__ = [
    "FORMULA",
    "REFERENCE",
    "SINGLE_TASK",
    "Comparison",
    "Interval",
    "Row",
    "Score",
    "Summary",
    "TaskMetric",
    "Verdict",
    "delta_m",
    "holm",
    "listing",
    "mean_rank",
    "paired_t",
    "percent",
    "show",
    "verdict",
]
