"""Where training with a method ends: with a decaying step size, on smooth convex losses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MEAN = "minimum of a weighted sum"
POINT = "minimum of a scalarisation"
FRONT = "Pareto-stationary point"
NOTHING = "nothing"
LOGS = "losses.log().sum()"


@dataclass(frozen=True)
class Limit:
    """What the paper promises, and what holds: by the formula it may be more, where an assumption is broken less.

    A ``POINT`` and a ``MEAN`` are where ``least`` is least: an expression of ``losses`` [K], ``torch`` and ``method``.
    """

    promised: str  # one of the four above
    holds: str
    why: str
    least: str = ""  # of a MEAN the plain sum, if it is not given
    arguments: Mapping[str, Any] = field(default_factory=dict)  # with which it holds, for three tasks

    def __post_init__(self) -> None:
        assert {self.promised, self.holds} <= {MEAN, POINT, FRONT, NOTHING}, self
        assert self.why.endswith("."), self
        object.__setattr__(self, "least", self.least or ("losses.sum()" if self.holds == MEAN else ""))
        assert bool(self.least) == (self.holds in (MEAN, POINT)), self

    def __str__(self) -> str:
        """What holds, as a phrase."""
        return f"{self.holds}, `{self.least}`" if self.least else self.holds
