"""Methods that see the gramian of the task gradients and return weights, one per file."""

from equipoise.aggregation.clip import Clip
from equipoise.aggregation.mgda import MGDA
from equipoise.aggregation.nash_mtl import NashMTL
from equipoise.aggregation.pcgrad import PCGrad
from equipoise.aggregation.running_norm import RunningNorm
from equipoise.aggregation.unit_norm import UnitNorm

__all__ = ["MGDA", "Clip", "NashMTL", "PCGrad", "RunningNorm", "UnitNorm"]
