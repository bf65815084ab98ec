"""Means over an epoch, by task and quantity."""

from collections.abc import Mapping
from itertools import combinations
from math import isfinite, log10, nan

from accelerate.utils import gather_object

from equipoise.record import Record


class Means:
    """Running weighted means of named floats, without NaN."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], tuple[float, float]] = {}  # sum of weight · value, sum of weight

    def add(self, quantity: str, values: Mapping[str, float], counts: Mapping[str, float] | None = None) -> None:
        """Take in one value per task, each counting once or ``counts`` times."""
        for task, value in values.items():
            if value == value:
                weight = 1.0 if counts is None else counts[task]
                total, weights = self._sums.get((task, quantity), (0.0, 0.0))
                self._sums[task, quantity] = (total + weight * value, weights + weight)

    def add_record(self, record: Record) -> None:
        """Take in what a step did: weight, gradient_norm, parts of losses, and what the gramian says of the tasks."""
        self.add("weight", record.weights)
        self.add("gradient_norm", record.norms)
        for task, parts in record.parts.items():
            for name, value in parts.items():
                self.add(f"part {name}", {task: value})
        matrices = {"cosine": record.cosines, "magnitude_similarity": record.magnitude_similarity}
        for quantity, matrix in matrices.items():
            if matrix is not None:
                values = matrix.tolist()
                pairs = combinations(enumerate(record.names), 2)
                self.add(quantity, {f"{a}|{b}": values[i][j] for (i, a), (j, b) in pairs})
        if len(record.names) > 1 and record.condition_number is not None:
            # its logarithm: the largest of a few steps would drown the others; a singular step has none
            self.add("log10_condition_number", {"all": _log10(record.condition_number)})

    def of_all_processes(self) -> "Means":
        """The means over what all processes took in, the same in each."""
        together = Means()
        for sums in gather_object([self._sums]):
            for key, (total, weight) in sums.items():
                before = together._sums.get(key, (0.0, 0.0))
                together._sums[key] = (before[0] + total, before[1] + weight)
        return together

    def rows(self) -> list[tuple[str, str, float]]:
        """(task, quantity, mean), in the order of first arrival."""
        return [(task, quantity, total / weight) for (task, quantity), (total, weight) in self._sums.items()]


def _log10(value: float) -> float:
    return log10(value) if isfinite(value) else nan
