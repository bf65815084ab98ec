"""Ready cases, by the name that the command line uses."""

from collections.abc import Callable

from equipoise.lab.cases.case import Case, Metric
from equipoise.lab.cases.metrics import make_metrics
from equipoise.lab.cases.reviews import reviews

CASES: dict[str, Callable[[], Case]] = {"reviews": reviews}

__all__ = ["CASES", "Case", "Metric", "make_metrics"]
