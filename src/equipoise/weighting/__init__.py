"""Loss weightings: losses in, objective out, one backward pass."""

from equipoise.weighting.dwa import DWA
from equipoise.weighting.fixed import Fixed
from equipoise.weighting.uw import UW

__all__ = ["DWA", "UW", "Fixed"]
