"""What is suggested, and how it is written: a loss with its arguments, as an object and as the line that makes it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

_SHOWN = 12  # numbers of a tensor in print; the code has all


class Call:
    """A constructor and its arguments: ``make()`` calls it, ``code()`` writes it down.

    >>> call = Call(nn.HuberLoss, delta=2.5)
    >>> call.code(), call.make()
    ('nn.HuberLoss(delta=2.5)', HuberLoss())
    """

    def __init__(self, constructor: Callable[..., nn.Module], *positional: Any, **named: Any) -> None:
        self.constructor, self.positional, self.named = constructor, positional, named

    def make(self) -> nn.Module:
        """The loss."""
        return self.constructor(
            *map(_made, self.positional), **{key: _made(value) for key, value in self.named.items()}
        )

    def code(self, most: int | None = None) -> str:
        """The expression; of tensors with more than ``most`` numbers, the first ones only."""
        arguments = [_written(value, most) for value in self.positional]
        arguments += [f"{key}={_written(value, most)}" for key, value in self.named.items()]
        return f"{self.name}({', '.join(arguments)})"

    @property
    def name(self) -> str:
        """The constructor's, as it is reached from ``nn`` or ``eq``."""
        home = "nn" if self.constructor.__module__.startswith("torch.") else "eq.losses"
        return f"{home}.{self.constructor.__name__}"


@dataclass(frozen=True, eq=False)
class Suggestion:
    """One loss that fits some targets.

    Attributes:
        name: The loss's class.
        code: The expression to paste, with all arguments computed.
        loss: The same, ready to use.
        output: What the network has to give.
        reasons: Why, and what to look out for.
    """

    name: str
    code: str
    loss: nn.Module
    output: str
    reasons: tuple[str, ...]
    _short: str

    @classmethod
    def of(cls, call: Call, output: str, *reasons: str) -> "Suggestion":
        """What a call makes."""
        return cls(call.constructor.__name__, call.code(), call.make(), output, reasons, call.code(_SHOWN))

    def __str__(self) -> str:
        return "\n".join(
            [f"loss = {self._short}", f"    takes {self.output}", *(f"    - {reason}" for reason in self.reasons)]
        )

    def __repr__(self) -> str:
        return f"Suggestion({self._short})"


Found = tuple[list[str], list[Suggestion]]  # what is seen in the targets, and what follows, the likeliest first


def digits(value: float | Tensor) -> str:
    """Three digits, and no exponent where none is needed.

    >>> digits(0.01234), digits(28.44), digits(1000.4)
    ('0.0123', '28.4', '1,000')
    """
    value = float(value)
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"


def _made(value: Any) -> Any:
    if isinstance(value, Call):
        return value.make()
    if isinstance(value, dict):
        return {key: _made(one) for key, one in value.items()}
    return tuple(_made(one) for one in value) if isinstance(value, tuple) else value


def _written(value: Any, most: int | None) -> str:
    if isinstance(value, Call):
        return value.code(most)
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_written(key, most)}: {_written(one, most)}' for key, one in value.items())}}}"
    if isinstance(value, tuple):
        return f"({', '.join(_written(one, most) for one in value)})"
    if isinstance(value, str):
        return f'"{value}"'
    if not isinstance(value, Tensor):
        return repr(value)
    if most is not None and value.numel() > most:
        first = ", ".join(map(str, _plain(value.flatten()[:most])))
        return f"torch.tensor([{first}, … {value.numel()} numbers in .code])"
    return f"torch.tensor({_plain(value)})"


def _plain(values: Tensor) -> Any:
    """Nested lists of the shortest numbers that make this tensor again."""
    if values.dim():
        return [_plain(value) for value in values]
    return float(f"{values.item():.7g}") if values.is_floating_point() else int(values)
