"""Means over an epoch, by task and quantity."""

from collections.abc import Mapping
from itertools import combinations

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
        """Take in what a step did: weight, gradient_norm, and cosine by "task|task"."""
        self.add("weight", record.weights)
        self.add("gradient_norm", record.norms)
        if record.cosines is not None:
            cosines = record.cosines.tolist()
            pairs = combinations(enumerate(record.names), 2)
            self.add("cosine", {f"{a}|{b}": cosines[i][j] for (i, a), (j, b) in pairs})

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
