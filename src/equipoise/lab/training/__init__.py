"""Training one network, resumably: the same loop for every method."""

from equipoise.lab.training.loop import PROBE_EVERY, train
from equipoise.lab.training.result import Moment, RunResult, Score
from equipoise.lab.training.settings import Settings

__all__ = ["PROBE_EVERY", "Moment", "RunResult", "Score", "Settings", "train"]
