"""The tasks' gradients over some batches, at one moment of a training."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice
from math import nan, sqrt
from statistics import fmean, stdev
from typing import Any

from scipy.special import stdtr
from torch import Tensor, nn

from equipoise.balancer import Balancer
from equipoise.doctor import Report, examine
from equipoise.lab.evaluation import holm
from equipoise.lab.evaluation.statistics import LEVEL, ROUNDING
from equipoise.plain_sum import Sum
from equipoise.tasks import Tasks

Batch = tuple[Any, dict[str, Tensor]]


@dataclass(frozen=True)
class Pair:
    """The cosine between two tasks' gradients over the batches that have both; NaN where there are none.

    ``spread`` is the standard deviation between batches, NaN for fewer than two; ``negative`` counts batches below 0.
    ``opposed`` says whether the mean is significantly below 0: ``p_value`` is below 5 % after Holm's
    correction for all that was tested beside it.
    """

    tasks: tuple[str, str]
    mean: float
    spread: float
    batches: int
    negative: int
    opposed: bool = False

    @property
    def p_value(self) -> float:
        """One-sided, by Student's t over the batches, of a mean that is not below 0.

        NaN for fewer than two, and for cosines that are all equal: they show no spread to measure by.
        """
        if self.batches < 2:
            return nan
        error = self.spread / sqrt(self.batches)
        if error <= ROUNDING * abs(self.mean):
            return nan
        return float(stdtr(self.batches - 1, self.mean / error))


@dataclass(frozen=True)
class LayerGradients:
    """An innermost module with shared parameters: its share of all squared gradients, and its pairs of tasks.

    Pairs are ``opposed`` after Holm's correction for the pairs of all layers.
    """

    name: str
    share: float
    pairs: tuple[Pair, ...]

    @property
    def lowest(self) -> Pair | None:
        """The pair with the lowest mean."""
        return lowest(self.pairs)

    @property
    def negative(self) -> float:
        """The share of pairs and batches with a cosine below 0."""
        seen = sum(pair.batches for pair in self.pairs)
        return sum(pair.negative for pair in self.pairs) / seen if seen else nan


@dataclass(frozen=True)
class GradientSummary:
    """Gradients with the users' weights in them, after so many steps of training.

    ``losses`` are means of the raw losses; ``norms`` (by all shared parameters) and ``own_norms`` (by what a task
    reaches alone) root mean squares; all over the batches that have the task.
    """

    steps: int
    batches: int
    losses: Mapping[str, float]
    norms: Mapping[str, float]
    own_norms: Mapping[str, float]
    pairs: tuple[Pair, ...]
    layers: tuple[LayerGradients, ...]

    @property
    def opposed(self) -> tuple[Pair, ...]:
        """The pairs that conflict, the lowest mean first."""
        return tuple(sorted((pair for pair in self.pairs if pair.opposed), key=lambda pair: pair.mean))


def look(model: nn.Module, tasks: Tasks, batches: Iterable[Batch], steps: int = 0) -> GradientSummary:
    """Examine each batch by ``eq.doctor``'s measurement; no parameter and no gradient changes.

    Raises:
        ValueError: If no batch has a label, or no parameter is shared by two tasks.
    """
    balancer = Balancer(Sum(), model, tasks=tasks)
    reports = []
    for inputs, targets in batches:
        if losses := tasks.losses(model(inputs), targets):
            reports.append(examine(model, balancer, losses))
    if not reports:
        raise ValueError("no batch has a label: give more batches")
    if not any(report.layers for report in reports):
        raise ValueError("no parameter is reached by two tasks: there is nothing to balance")
    names = [name for name in tasks.names if any(name in report.names for report in reports)]
    places = dict.fromkeys(layer for report in reports for layer in report.layers)
    squares = {place: sum(_square(report, place) for report in reports) for place in places}
    whole = sum(squares.values()) or 1.0
    pairs = _pairs(names, [(report.names, report.gramian) for report in reports])
    inside = [_pairs(names, [(report.names, report.layers.get(place)) for report in reports]) for place in places]
    told = iter(judged([pair for of_layer in inside for pair in of_layer]))
    return GradientSummary(
        steps=steps,
        batches=len(reports),
        losses={name: fmean(_of(reports, "losses", name)) for name in names},
        norms={name: _root_mean_square(_of(reports, "norms", name)) for name in names},
        own_norms={name: _root_mean_square(_of(reports, "own_norms", name)) for name in names},
        pairs=judged(pairs),
        layers=tuple(
            LayerGradients(place, squares[place] / whole, tuple(islice(told, len(of_layer))))
            for place, of_layer in zip(places, inside, strict=True)
        ),
    )


def judged(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """The pairs as one family: those that are opposed after Holm's correction are marked."""
    adjusted = holm([pair.p_value for pair in pairs])
    return tuple(replace(pair, opposed=p < LEVEL) for pair, p in zip(pairs, adjusted, strict=True))


def lowest(pairs: Iterable[Pair]) -> Pair | None:
    """The pair with the lowest mean; None where none has one."""
    known = [pair for pair in pairs if pair.mean == pair.mean]
    return min(known, key=lambda pair: pair.mean) if known else None


def _of(reports: Sequence[Report], what: str, name: str) -> list[float]:
    return [getattr(report, what)[name] for report in reports if name in report.names]


def _root_mean_square(values: Sequence[float]) -> float:
    return sqrt(fmean(value * value for value in values))


def _square(report: Report, layer: str) -> float:
    return float(report.layers[layer].diagonal().sum()) if layer in report.layers else 0.0


def _pairs(names: Sequence[str], gramians: Sequence[tuple[tuple[str, ...], Tensor | None]]) -> tuple[Pair, ...]:
    """Every two tasks, from the gramian [K', K'] of each batch with its K' present tasks."""
    found: dict[tuple[str, str], list[float]] = {pair: [] for pair in combinations(names, 2)}
    for present, gramian in gramians:
        if gramian is None:
            continue
        norms = gramian.diagonal().sqrt()
        cosines = (gramian / norms[:, None] / norms).tolist()  # NaN where a gradient is zero
        for (i, first), (j, second) in combinations(enumerate(present), 2):
            if cosines[i][j] == cosines[i][j]:
                found[first, second].append(cosines[i][j])
    return tuple(
        Pair(
            pair,
            fmean(values) if values else nan,
            stdev(values) if len(values) > 1 else nan,
            len(values),
            sum(value < 0 for value in values),
        )
        for pair, values in found.items()
    )
