"""Target leakage: input columns that predict nearly all of a target by themselves, or contain its name."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from equipoise.lab.data.cells import is_number
from equipoise.lab.data.table import Table

Numbers = npt.NDArray[np.float64]

NEARLY_ALL = 0.99
_FEWEST = 10  # rows in which both cells are filled; fewer are no evidence
_WAYS = 1000  # for each column, to deal out the target's answers to the rows; with fewer, chance may make a copy


def leak(table: Table, column: str, target: str) -> str | None:
    """Why a column may leak a target, in words; None where there is no sign of it.

    Signs are the target's name within the column's name; a correlation of at least 0.99 in size of two columns
    of numbers, or of their ranks without the rows in which both have their most frequent value, since a logarithm
    keeps ranks; an AUROC of at least 0.99 of a column of numbers for a target of two values; and a column whose other
    rows with the same value predict the target in at least 99 % of the rows, where the most frequent target has at most
    95 %. Only the name counts where all values of the target but one are so rare that chance may do the same.
    """
    if target.lower() in column.lower():
        return f"its name contains {target!r}"
    pairs = [(a, b) for a, b in zip(table.cells(column), table.cells(target), strict=True) if a and b]
    if len(pairs) < _FEWEST:
        return None
    cells, labels = zip(*pairs, strict=True)
    if _log_ways(labels) < math.log(_WAYS * len(table.columns)):
        return None
    numbers = all(map(is_number, cells))
    if numbers and len(set(labels)) == 2:
        auroc = _auroc([float(cell) for cell in cells], [label == labels[0] for label in labels])
        if max(auroc, 1 - auroc) >= NEARLY_ALL:
            return f"it alone ranks {target!r} with an AUROC of {max(auroc, 1 - auroc):.3f}"
    elif numbers and all(map(is_number, labels)):
        first, second = np.array(cells, dtype=float), np.array(labels, dtype=float)
        size = _correlation(first, second)
        if size >= NEARLY_ALL:
            return f"its correlation with {target!r} is {size:.3f} in size"
        kept = ~(_most_frequent(first) & _most_frequent(second))  # columns that are mostly 0 agree by that alone
        size = _correlation(rankdata(first[kept]), rankdata(second[kept])) if kept.sum() >= _FEWEST else 0.0
        if size >= NEARLY_ALL:
            return f"it ranks the rows as {target!r} does: the correlation of their ranks is {size:.3f} in size"
    right = _share_predicted(cells, labels)
    if right >= NEARLY_ALL and max(Counter(labels).values()) <= 0.95 * len(labels):
        return f"its value predicts {target!r} in {right:.1%} of the rows"
    return None


def _log_ways(labels: Sequence[str]) -> float:
    """The logarithm of how many ways there are to deal these labels out to the rows: n! / Π count!."""
    return math.lgamma(len(labels) + 1) - sum(math.lgamma(count + 1) for count in Counter(labels).values())


def _correlation(first: Numbers, second: Numbers) -> float:
    a, b = (values - values.mean() for values in (first, second))
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return abs(float(a @ b)) / scale if scale > 0 else 0.0


def _most_frequent(values: Numbers) -> npt.NDArray[np.bool_]:
    """Where a row holds the value that most rows hold."""
    kinds, counts = np.unique(values, return_counts=True)
    found: npt.NDArray[np.bool_] = values == kinds[counts.argmax()]
    return found


def _auroc(scores: Sequence[float], positive: Sequence[bool]) -> float:
    """The share of pairs (positive, other) in order; a tie is half a pair."""
    mask = np.asarray(positive)
    ones = int(mask.sum())
    return float((rankdata(np.asarray(scores))[mask].sum() - ones * (ones + 1) / 2) / (ones * (len(mask) - ones)))


def _share_predicted(cells: Sequence[str], labels: Sequence[str]) -> float:
    """Rows whose label is the most frequent one of the other rows with their cell; 0 where cells hardly repeat."""
    if len(set(cells)) > len(cells) / 5:
        return 0.0
    by_cell: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for cell, label in zip(cells, labels, strict=True):
        by_cell[cell][label] += 1
    most = [[*sorted(counts.values(), reverse=True), 0][:2] for counts in by_cell.values()]
    return sum(first for first, second in most if first - 1 > second) / len(cells)
