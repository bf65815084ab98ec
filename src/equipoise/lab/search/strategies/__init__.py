"""Ways to search, one per file."""

from equipoise.lab.search.strategies.grid import Grid
from equipoise.lab.search.strategies.halving import Halving
from equipoise.lab.search.strategies.population import Population
from equipoise.lab.search.strategies.random import Random
from equipoise.lab.search.strategies.tpe import TPE

__all__ = ["TPE", "Grid", "Halving", "Population", "Random"]
