"""Wrappers: methods around a method, one per file."""

from equipoise.wrapping.bounded import Bounded
from equipoise.wrapping.every import Every
from equipoise.wrapping.freeze_after import FreezeAfter
from equipoise.wrapping.per_group import PerGroup
from equipoise.wrapping.smooth import Smooth
from equipoise.wrapping.warmup import Warmup
from equipoise.wrapping.wrapper import Wrapper

__all__ = [
    "Bounded",
    "Every",
    "FreezeAfter",
    "PerGroup",
    "Smooth",
    "Warmup",
    "Wrapper",
]
