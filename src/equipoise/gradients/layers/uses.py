"""How a parameter is used: through which views and casts it reaches which operations, as which operand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

Consumers = Mapping[Any, Sequence[tuple[Any, int]]]


@dataclass(frozen=True)
class Use:
    """One operation that a parameter, perhaps transposed or cast, is an operand of."""

    node: Any
    operand: int
    transposed: bool

    @property
    def name(self) -> str:
        """The operation's node in the autograd graph."""
        return type(self.node).__name__


def uses_of(accumulator: Any, consumers: Consumers) -> list[Use]:
    """All uses of the parameter behind an accumulator, in a fixed order."""
    uses: list[Use] = []
    ways = [(accumulator, False)]
    while ways:
        node, transposed = ways.pop()
        for consumer, operand in consumers.get(node, ()):
            name = type(consumer).__name__
            if name == "ToCopyBackward0":
                ways.append((consumer, transposed))
            elif name in _TRANSPOSES and _TRANSPOSES[name](consumer):
                ways.append((consumer, not transposed))
            else:
                uses.append(Use(consumer, operand, transposed))
    return uses


def saved(node: Any, name: str) -> Tensor | None:
    """A tensor that a node saved for its backward; ``None`` if to look at it would run someone's hook."""
    if getattr(node, f"_raw_saved_{name}").unpack_hook is not None:  # a checkpoint would run the forward pass again
        return None
    tensor = getattr(node, f"_saved_{name}")
    assert tensor is None or isinstance(tensor, Tensor)
    return tensor


def signed(index: int) -> int:
    """A padding index, of which PyTorch may show -1 as an unsigned number."""
    return index if index < 2**63 else index - 2**64


_TRANSPOSES = {
    "TBackward0": lambda node: True,
    "TransposeBackward0": lambda node: (node._saved_dim0 - node._saved_dim1) % 2 == 1,
    "PermuteBackward0": lambda node: len(node._saved_dims) == 2 and node._saved_dims[0] % 2 == 1,
}
