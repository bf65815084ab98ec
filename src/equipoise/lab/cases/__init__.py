"""Ready cases, by the name that the command line uses."""

from collections.abc import Callable

from equipoise.lab.cases.case import Case, Metric
from equipoise.lab.cases.census import census, census_college
from equipoise.lab.cases.metrics import make_metrics
from equipoise.lab.cases.reviews import reviews
from equipoise.lab.cases.tox21 import tox21

CASES: dict[str, Callable[[], Case]] = {
    "reviews": reviews,
    "tox21": tox21,
    "census": census,
    "census-college": census_college,
}

__all__ = ["CASES", "Case", "Metric", "census", "make_metrics", "reviews", "tox21"]
