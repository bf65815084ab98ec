"""Target leakage: input columns that predict nearly all of a target by themselves, or contain its name."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equipoise.lab.data.table import Table
from equipoise.lab.data.values import Codes, Numbers, coded, number_in

NEARLY_ALL = 0.99
_FEWEST = 10  # rows in which both cells are filled; fewer are no evidence
_WAYS = 1000  # for each column, to deal out the target's answers to the rows; with fewer, chance may make a copy


def leaks(table: Table, columns: Sequence[str], targets: Sequence[str]) -> list[tuple[str, str]]:
    """The columns that may leak a target, and why, in words.

    Signs are the target's name within the column's name; a correlation of at least 0.99 in size of two columns
    of numbers, or of their ranks without the rows in which both have their most frequent value, since a logarithm
    keeps ranks; an AUROC of at least 0.99 of a column of numbers for a target of two values; and a column whose other
    rows with the same value predict the target in at least 99 % of the rows, where the most frequent target has at most
    95 %. Only the name counts where all values of the target but one are so rare that chance may do the same.
    """
    answers = {target: _Column.of(table, target) for target in targets}
    return [
        (column, why)
        for column in columns
        for given in (_Column.of(table, column),)
        for target in targets
        if (why := _leak(given, answers[target], _WAYS * len(table.columns)))
    ]


@dataclass(frozen=True)
class _Column:
    """A column, each of its different cells once: as text, as a number or NaN, and for each row which it has [N]."""

    name: str
    codes: Codes
    cells: list[str]
    numbers: Numbers

    @classmethod
    def of(cls, table: Table, name: str) -> "_Column":
        codes, cells = coded(table.cells(name))
        return cls(name, codes, cells, np.array([number_in(cell) for cell in cells]))

    @property
    def filled(self) -> npt.NDArray[np.bool_]:
        """Where a row has a cell [N]."""
        return np.array([cell != "" for cell in self.cells])[self.codes]


def _leak(column: _Column, target: _Column, ways: int) -> str | None:
    if target.name.lower() in column.name.lower():
        return f"its name contains {target.name!r}"
    both = column.filled & target.filled
    codes, answers = column.codes[both], target.codes[both]
    counts = np.bincount(answers)
    if len(codes) < _FEWEST or _log_ways(counts) < math.log(ways):
        return None
    first, second = column.numbers[codes], target.numbers[answers]
    if not np.isnan(first).any() and np.count_nonzero(counts) == 2:
        auroc = _auroc(first, answers == answers[0])
        if max(auroc, 1 - auroc) >= NEARLY_ALL:
            return f"it alone ranks {target.name!r} with an AUROC of {max(auroc, 1 - auroc):.3f}"
    elif not np.isnan(first).any() and not np.isnan(second).any():
        size = _correlation(first, second)
        if size >= NEARLY_ALL:
            return f"its correlation with {target.name!r} is {size:.3f} in size"
        kept = ~(_most_frequent(first) & _most_frequent(second))  # columns that are mostly 0 agree by that alone
        size = _correlation(_ranks(first[kept]), _ranks(second[kept])) if kept.sum() >= _FEWEST else 0.0
        if size >= NEARLY_ALL:
            return f"it ranks the rows as {target.name!r} does: the correlation of their ranks is {size:.3f} in size"
    if counts.max() <= 0.95 * len(answers) and (right := _share_predicted(codes, answers)) >= NEARLY_ALL:
        return f"its value predicts {target.name!r} in {right:.1%} of the rows"
    return None


def _log_ways(counts: Codes) -> float:
    """The logarithm of how many ways there are to deal labels with these counts out to the rows: n! / Π count!."""
    return math.lgamma(counts.sum() + 1) - sum(math.lgamma(count + 1) for count in counts.tolist())


def _correlation(first: Numbers, second: Numbers) -> float:
    a, b = (values - values.mean() for values in (first, second))
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return abs(float(a @ b)) / scale if scale > 0 else 0.0


def _most_frequent(values: Numbers) -> npt.NDArray[np.bool_]:
    """Where a row holds the value that most rows hold."""
    kinds, counts = np.unique(values, return_counts=True)
    found: npt.NDArray[np.bool_] = values == kinds[counts.argmax()]
    return found


def _ranks(values: Numbers) -> Numbers:
    """From 1, equal values with the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    means: Numbers = counts.cumsum() - (counts - 1) / 2
    return means[places]


def _auroc(scores: Numbers, positive: npt.NDArray[np.bool_]) -> float:
    """The share of pairs (positive, other) in order; a tie is half a pair."""
    ones = int(positive.sum())
    return float((_ranks(scores)[positive].sum() - ones * (ones + 1) / 2) / (ones * (len(positive) - ones)))


def _share_predicted(codes: Codes, answers: Codes) -> float:
    """Rows whose label is the most frequent one of the other rows with their cell; 0 where cells hardly repeat."""
    if len(np.unique(codes)) > len(codes) / 5:
        return 0.0
    pairs, counts = np.unique(codes * (answers.max() + 1) + answers, return_counts=True)
    cell = pairs // (answers.max() + 1)
    order = np.lexsort((-counts, cell))  # of each cell the most frequent label first
    cell, counts = cell[order], counts[order]
    first = np.concatenate([[True], cell[1:] != cell[:-1]])
    second = np.concatenate([np.where(first[1:], 0, counts[1:]), [0]])  # beside the first, the next most frequent
    return float(counts[first & (counts - 1 > second)].sum() / len(codes))
