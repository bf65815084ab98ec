"""What the doctor saw of one backward pass of a script: plain numbers, which go through a file."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class PartSeen:
    """One addend of a loss."""

    name: str
    group: str  # the sum in the script that it is part of, where that is a part itself; else its own name
    value: float | None  # of the loss alone; None where nobody knows it
    factor: float | None  # what multiplies it; None where its numbers have several
    reached: int  # numbers of parameters that it has a gradient by, zeros included
    own_norm: float  # of its gradient, with the factor, by what it alone reaches
    is_penalty: bool = False  # of parameters alone
    terms: int | None = None  # losses of a batch that it is the sum of, 1 if it is their mean; None: not known
    weighted_twice: list[str] = field(default_factory=list)  # names of one weight that multiplies it at two places


@dataclass(frozen=True)
class LayerSeen:
    """The gradients by the parameters of one innermost module."""

    name: str
    numbers: int
    parts: list[int]  # places of the parts that reach it
    norms: list[float]  # of each part's gradient there
    gramian: list[list[float]]  # K x K: their inner products
    dead: list[int]  # places of outputs of the module by whose weights no part has a gradient
    outputs: int


@dataclass(frozen=True)
class PassSeen:
    """One backward pass. K parts; gradients have their factors in them, as the script's own backward has."""

    site: str  # file, line and function that called backward
    step: int  # how many calls of that line came before, plus one
    total: float
    parts: list[PartSeen]
    gramian: list[list[float]]  # K x K by all parameters that two parts or more reach
    layers: list[LayerSeen]
    seconds: float  # that the look took
    constants: dict[str, float] = field(default_factory=dict)  # added to the loss, and moved by no parameter
    scale: float = 1.0  # of a GradScaler; taken out of factors and gradients
    idle: list[str] = field(default_factory=list)  # modules that an optimiser holds, and no part reaches


@dataclass
class ScriptSeen:
    """All that one process saw."""

    looks: list[PassSeen] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)  # site -> calls of backward
    problems: list[str] = field(default_factory=list)  # failures of the doctor's own, a line each
    rank: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain lists and numbers."""
        return asdict(self)

    @classmethod
    def from_dict(cls, known: dict[str, Any]) -> "ScriptSeen":
        """The reverse of ``as_dict``."""
        looks = [
            PassSeen(
                **{
                    **one,
                    "parts": [PartSeen(**part) for part in one["parts"]],
                    "layers": [LayerSeen(**layer) for layer in one["layers"]],
                }
            )
            for one in known["looks"]
        ]
        return cls(**{**known, "looks": looks})

    def renamed(self, names: Mapping[str, str]) -> "ScriptSeen":
        """The same with other names of losses."""
        looks = [
            replace(
                look,
                parts=[
                    replace(part, name=names.get(part.name, part.name), group=names.get(part.group, part.group))
                    for part in look.parts
                ],
            )
            for look in self.looks
        ]
        return replace(self, looks=looks)
