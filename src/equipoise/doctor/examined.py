"""What the doctor sees of one step."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from equipoise.record import Record


@dataclass(frozen=True)
class ParameterReach:
    """Parameters that share one fate."""

    name: str  # of a parameter, or of all below a module: ``trunk.*``
    tasks: tuple[str, ...]  # whose losses reach them
    frozen: bool
    held: bool | None  # by the optimiser; None where none was given
    given: bool  # to the balancer
    numbers: int


@dataclass(frozen=True)
class RouteCost:
    """What a route costs beside the forward pass."""

    route: str
    passes: str
    operations: float  # multiply-adds at layers that have factors: products and the combined gradient
    memory: int  # bytes held between the backward passes: rows, and factors
    milliseconds: float | None = None  # of a backward, if it was asked for
    refused: str = ""  # why there are none, where PyTorch could not run it


@dataclass(frozen=True)
class Examined:
    """One step.

    Gradients have the users' weights in them. Matrices are in float64 on the CPU, in the order of ``names``.
    """

    method: str
    names: tuple[str, ...]  # the tasks present
    absent: tuple[str, ...]
    user_weights: Mapping[str, float]
    losses: Mapping[str, float]  # raw
    reach: list[ParameterReach]
    gramian: Tensor | None  # [K, K] by all shared parameters; None if there was none, or no way to measure it
    modules: Mapping[str, Tensor]  # [K, K] by the shared parameters of each top-level module
    layers: Mapping[str, Tensor]  # [K, K] by the shared parameters of each innermost module
    own_norms: Mapping[str, float]  # by the parameters that a task reaches alone
    weights: Mapping[str, float]  # effective, what the method would decide now in them; empty if it decides none
    costs: list[RouteCost]
    findings: list[str]
    suggestion: Mapping[str, float]  # initial weights of the tasks; empty where there is nothing to compare
    shared_numbers: int

    @property
    def norms(self) -> dict[str, float]:
        """The gradients' norms by all shared parameters."""
        return self._record(self.gramian).norms

    @property
    def cosines(self) -> Tensor | None:
        """Cosines [K, K] by all shared parameters; NaN where a gradient is zero."""
        return self._record(self.gramian).cosines

    @property
    def condition_number(self) -> float | None:
        """Largest over smallest singular value of the jacobian."""
        return self._record(self.gramian).condition_number

    def cosines_of(self, module: str) -> Tensor:
        """Cosines [K, K] by the shared parameters of one top-level module."""
        cosines = self._record(self.modules[module]).cosines
        assert cosines is not None
        return cosines

    def _record(self, gramian: Tensor | None) -> Record:
        nothing = torch.zeros((), device="cpu")
        return Record(0, self.names, nothing, nothing, None, gramian, "")
