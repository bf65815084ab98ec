"""What leaves a method's gradient as it is, found by running it: a short training, and the same one changed."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import torch
from torch import Tensor

from equipoise.testing.laws import Make
from equipoise.testing.run import NUM_TASKS, Batch, batch, bound, run

_TRAINING = tuple(batch(seed) for seed in range(1, 9))
_WAIT = 4  # the first steps, in which many methods have not yet seen what they decide by
_FACTORS = (2.0**-10, 2.0**10)
_BUT_LAST = list(range(NUM_TASKS - 1))
_TOLERANCE = 1e-6  # of a vector's norm


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


def invariances(make: Make) -> Invariances:
    """What of a method's gradient stays when losses are scaled, a task is copied, or the parameters turn.

    Every answer is that of a few drawn trainings of eight steps, each an epoch with validation results, of which the
    last four are compared: a "no" is a counterexample, a "yes" is evidence. A method that draws random numbers draws
    the same ones again. A copied task is a further one with the same gradient, loss and result.

    Args:
        make: Gives a new, unbound method for ``NUM_TASKS`` tasks at each call.

    >>> from equipoise import MGDA
    >>> invariances(MGDA)
    Invariances(one_loss=False, degree=1.0, copy=True, rotation=True)
    """

    def gradients(batches: Iterable[Batch]) -> Tensor:
        return torch.stack(run(bound(make()), batches)[_WAIT:])

    plain = gradients(_TRAINING)
    few = gradients(shown.only(_BUT_LAST) for shown in _TRAINING)
    scaled = [gradients(shown.scaled(c) for shown in _TRAINING) for c in _FACTORS]
    one_scaled = (gradients(shown.scaled_one(k, c) for shown in _TRAINING) for k in range(NUM_TASKS) for c in _FACTORS)
    copied = (gradients(shown.in_order([*_BUT_LAST, k]) for shown in _TRAINING) for k in _BUT_LAST)
    turn = _rotation()
    turned = gradients(shown.with_rows(shown.rows @ turn) for shown in _TRAINING)
    return Invariances(
        one_loss=all(_are_close(_units(plain), _units(changed)) for changed in one_scaled),
        degree=_degree(plain, scaled),
        copy=all(_are_close(_units(few), _units(changed)) for changed in copied),
        rotation=_are_close(plain @ turn, turned),
    )


def _degree(plain: Tensor, scaled: Iterable[Tensor]) -> float | None:
    """The one d with ``scaled = c^d plain`` for every factor c, None if there is none."""
    degrees = []
    for factor, gradients in zip(_FACTORS, scaled, strict=True):
        stretch = float(gradients.norm() / plain.norm())
        if not _are_close(stretch * plain, gradients):
            return None
        degrees.append(round(math.log(stretch, factor), 6) + 0.0)  # no -0.0
    return degrees[0] if degrees[0] == degrees[1] else None


def _units(gradients: Tensor) -> Tensor:
    lengths = gradients.norm(dim=1, keepdim=True)
    return cast(Tensor, gradients / lengths.where(lengths > 0, 1.0))


def _are_close(plain: Tensor, changed: Tensor) -> bool:
    """Whether both are the same in every step, but for rounding."""
    return bool(((plain - changed).norm(dim=1) <= _TOLERANCE * plain.norm(dim=1)).all())


def _rotation() -> Tensor:
    """A drawn orthogonal matrix [P, P]."""
    width = _TRAINING[0].rows.shape[1]
    drawn = torch.randn(width, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    orthogonal, _ = torch.linalg.qr(drawn)
    return cast(Tensor, orthogonal)
