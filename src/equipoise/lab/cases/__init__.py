"""Ready cases, by the name that the command line uses, and those of a table."""

from collections.abc import Callable

from equipoise.lab.cases.case import Case, Metric
from equipoise.lab.cases.check import check_case
from equipoise.lab.cases.metrics import make_metrics
from equipoise.lab.cases.reviews import reviews
from equipoise.lab.cases.table import TableCase
from equipoise.lab.cases.target import KINDS, Target

CASES: dict[str, Callable[[], Case]] = {"reviews": reviews}

__all__ = ["CASES", "KINDS", "Case", "Metric", "TableCase", "Target", "check_case", "make_metrics"]
