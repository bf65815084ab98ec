"""What leaves a method's answer as it is: the facts, which ``equipoise.testing.invariances`` finds by running it."""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Invariances:
    """What running a method has shown."""

    one_loss: bool  # multiplying one loss by c > 0 leaves the direction of the gradient
    degree: float | None  # multiplying all losses by c gives the gradient times c^degree; None: for no degree
    copy: bool  # a copy of one task leaves the direction
    rotation: bool  # the gradient turns with the parameter space

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The four as words for a table."""
        words = ["yes" if holds else "no" for holds in (self.one_loss, self.copy, self.rotation)]
        degree = "neither" if self.degree is None else str(Fraction(self.degree).limit_denominator(12))
        return words[0], degree.replace("-", "−"), words[1], words[2]
