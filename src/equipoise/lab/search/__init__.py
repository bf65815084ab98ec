"""Search over task weights and what stands beside them, on one machine or many."""

from equipoise.lab import extra  # noqa: F401
from equipoise.lab.search.choice import RULES, choose, covered, front, require_preference
from equipoise.lab.search.search import Search
from equipoise.lab.search.space import Choice, Number, Point, Space, simplex
from equipoise.lab.search.strategies import TPE, Grid, Halving, Population, Random
from equipoise.lab.search.trial import Job, Objective, Strategy, Trial, change
from equipoise.lab.training.executors import submitting

__all__ = [
    "RULES",
    "TPE",
    "Choice",
    "Grid",
    "Halving",
    "Job",
    "Number",
    "Objective",
    "Point",
    "Population",
    "Random",
    "Search",
    "Space",
    "Strategy",
    "Trial",
    "change",
    "choose",
    "covered",
    "front",
    "require_preference",
    "simplex",
    "submitting",
]
