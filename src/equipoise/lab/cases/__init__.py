"""Ready cases, by the name that the command line uses, and those of a table."""

from collections.abc import Callable

from equipoise.lab import extra  # noqa: F401
from equipoise.lab.cases.architecture import with_architecture
from equipoise.lab.cases.case import Case
from equipoise.lab.cases.census import census, census_college
from equipoise.lab.cases.check import check_case, require_losses
from equipoise.lab.cases.chosen_losses import LossChoice, number_or_word, own_loss, with_losses
from equipoise.lab.cases.coffee_leaf import coffee_leaf, coffee_leaf_all
from equipoise.lab.cases.goemotions import GOEMOTIONS, goemotions
from equipoise.lab.cases.metrics import Metric, make_metrics
from equipoise.lab.cases.reviews import reviews
from equipoise.lab.cases.table import TableCase
from equipoise.lab.cases.tox21 import tox21
from equipoise.lab.data.columns import TARGET_KINDS, Target

CASES: dict[str, Callable[[], Case]] = {
    "reviews": reviews,
    "tox21": tox21,
    "census": census,
    "census-college": census_college,
    "coffee-leaf": coffee_leaf,
    "coffee-leaf-all": coffee_leaf_all,
    **GOEMOTIONS,
}

__all__ = [
    "CASES",
    "TARGET_KINDS",
    "Case",
    "LossChoice",
    "Metric",
    "TableCase",
    "Target",
    "census",
    "check_case",
    "coffee_leaf",
    "goemotions",
    "make_metrics",
    "number_or_word",
    "own_loss",
    "require_losses",
    "reviews",
    "tox21",
    "with_architecture",
    "with_losses",
]
