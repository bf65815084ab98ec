"""Training one network, resumably: the same loop for every method."""

from equipoise.lab import extra  # noqa: F401
from equipoise.lab.settings import Settings
from equipoise.lab.training.learner import PROBE_EVERY
from equipoise.lab.training.loop import train
from equipoise.lab.training.result import Moment, RunResult, Score

__all__ = ["PROBE_EVERY", "Moment", "RunResult", "Score", "Settings", "train"]
