"""Fair comparisons: a case, methods and seeds, run in worker processes into a folder."""

from equipoise.lab import extra  # noqa: F401
from equipoise.lab.cases.recipe import Recipe, find_recipe
from equipoise.lab.studies.looks import record_look
from equipoise.lab.studies.plan import Plan, Run, make_plan
from equipoise.lab.studies.progress import run_plan
from equipoise.lab.studies.sizes import TimeLimit
from equipoise.lab.studies.study import Study
from equipoise.lab.studies.tables import write_scores
from equipoise.lab.training.workers import Event, Workers

__all__ = [
    "Event",
    "Plan",
    "Recipe",
    "Run",
    "Study",
    "TimeLimit",
    "Workers",
    "find_recipe",
    "make_plan",
    "record_look",
    "run_plan",
    "write_scores",
]
