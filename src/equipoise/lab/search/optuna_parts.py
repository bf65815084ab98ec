"""Our space in Optuna's words, and Optuna without its log lines."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from equipoise.lab.search.space import Choice, Space


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """A distribution for every name of the space."""
    bound = math.log(space.span)
    found: dict[str, BaseDistribution] = {name: FloatDistribution(-bound, bound) for name in space.ratios}
    for axis in space.axes:
        found[axis.name] = (
            CategoricalDistribution(axis.options)
            if isinstance(axis, Choice)
            else FloatDistribution(axis.low, axis.high, log=axis.log)
        )
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Warnings and errors of Optuna only; what the user set comes back."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(level, optuna.logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
