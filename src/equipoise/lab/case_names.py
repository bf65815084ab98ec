"""The names of all cases as a type; written by ``python docs/write.py``."""

from typing import Literal

# fmt: off
CaseName = Literal[
    "reviews", "tox21", "census", "census-college", "coffee-leaf", "coffee-leaf-all", "goemotions",
    "goemotions-sentences", "goemotions-groups", "goemotions-groups-sentences",
]
