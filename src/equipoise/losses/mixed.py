"""Several losses as one, in proportions that are given, scheduled or learned.

Learned ones: Kendall, Gal, Cipolla, Multi-Task Learning Using Uncertainty to Weigh Losses, CVPR 2018, eq. (7).
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.losses.checks import wide
from equipoise.losses.module import LossModule
from equipoise.losses.schedules import Schedule, require_factor
from equipoise.missing import ignored_class
from equipoise.remedies import require_no_broadcast

__all__ = ["LearnedProportion", "Mixed"]


class LearnedProportion(LossModule):
    """p = exp(log_proportion), learned; its part counts p · loss − log p, which is least at p = 1 / loss.

    That is Kendall's eq. (7) twice over, with p = 1 / σ². Without the log, gradient descent would take p to 0, where
    p · loss is least; and a learned softmax over the parts would end with all its weight on the smallest loss, however
    useless that one is. It is meant for losses above 0: as a loss nears 0, its p grows without bound.

    Its parameter belongs in the optimiser, best without weight decay. The mixture may become negative; its ``parts``
    are the losses themselves.

    Args:
        initial: p at the start, positive.

    >>> proportion = LearnedProportion(initial=0.5)
    >>> proportion.counted(torch.tensor(2.0))  # 0.5 · 2 − log 0.5
    tensor(1.6931, grad_fn=<SubBackward0>)
    """

    def __init__(self, initial: float = 1.0) -> None:
        super().__init__()
        if not isinstance(initial, int | float) or isinstance(initial, bool) or not 0 < initial < math.inf:
            raise ValueError(f"initial must be a positive finite number, got {initial!r}")
        self.initial = initial
        self.log_proportion = nn.Parameter(torch.tensor(math.log(initial)))

    def forward(self) -> Tensor:
        """The proportion now, []."""
        return self.log_proportion.exp()

    def counted(self, loss: Tensor) -> Tensor:
        """What a loss [] adds to the mixture."""
        return self() * loss - self.log_proportion


class Composed(LossModule):
    """A loss of named parts: it shows what they were, and advances the schedules that it holds itself.

    ``parts`` are those of the last forward, detached.
    """

    def __init__(self, *numbers: object) -> None:
        super().__init__()
        self._schedules = list(dict.fromkeys(number for number in numbers if isinstance(number, Schedule)))
        for schedule in self._schedules:
            schedule.require_free()
        self.parts: dict[str, Tensor] = {}

    def end_epoch(self) -> None:
        """Tell every schedule in it, those of nested losses too, that an epoch of training has ended."""
        for module in self.modules():
            if isinstance(module, Schedule):
                module.end_epoch()

    def _end_forward(self, parts: dict[str, Tensor]) -> None:
        self.parts = parts
        if self.training and torch.is_grad_enabled():
            for schedule in self._schedules:
                schedule.advance()


class Mixed(Composed):
    """sum of proportion · part over named parts, each called with the arguments that the mixture is called with.

    After a forward ``parts`` holds what each part was, detached and without its proportion; the parts of a part are
    there as ``"part/inner"``. ``ignore_index`` is that of the parts.

    Args:
        terms: ``{name: (proportion, loss)}``. A proportion is a number from 0, a ``Schedule`` (which advances with each
            forward in training), or a ``LearnedProportion``. A loss is any callable that returns a scalar, of output
            and target, or of whatever the task gives.

    Raises:
        ValueError: If there are no terms, one is not a proportion and a loss, parts ignore different classes, or a part
            does not return a scalar.

    >>> mixed = Mixed({"l1": (0.5, nn.L1Loss()), "l2": (2.0, nn.MSELoss())})
    >>> mixed(torch.tensor([3.0]), torch.tensor([0.0]))  # 0.5 · 3 + 2 · 9
    tensor(19.5000)
    >>> mixed.parts
    {'l1': tensor(3.), 'l2': tensor(9.)}
    """

    def __init__(self, terms: Mapping[str, tuple[float | Schedule | LearnedProportion, Callable[..., Tensor]]]) -> None:
        _require_terms(terms)
        ignored = _common_ignore_index({name: loss for name, (_, loss) in terms.items()})
        super().__init__(*(proportion for proportion, _ in terms.values()))
        self.terms = dict(terms)
        self.ignore_index = ignored
        self.takes_padding = all(getattr(loss, "takes_padding", False) for _, loss in terms.values())
        self._of_terms = nn.ModuleList(x for term in terms.values() for x in term if isinstance(x, nn.Module))

    def forward(self, *arguments: Any) -> Tensor:
        """Of the parts' arguments."""
        parts: dict[str, Tensor] = {}
        counted = []
        for name, (proportion, loss) in self.terms.items():
            require_no_broadcast(f"output and target of part {name!r}", loss, arguments)
            part = wide(require_scalar(f"part {name!r}", loss(*arguments)))
            parts |= parts_of(name, loss, part)
            counted.append(_counted(proportion, part))
        self._end_forward(parts)
        return sum(counted[1:], counted[0])

    def __repr__(self) -> str:
        return f"Mixed({self.terms!r})"


def require_loss(name: str, loss: object) -> None:
    """Raise unless this can be called with tensors."""
    if isinstance(loss, type):
        raise ValueError(f"{name} is a class: write {loss.__name__}(...)")
    if not callable(loss):
        raise ValueError(f"{name} must be callable, got {loss!r}")


def require_scalar(name: str, value: object) -> Tensor:
    """The value, if it is a scalar tensor."""
    if not isinstance(value, Tensor) or value.dim() != 0:
        got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"{name} must return a scalar tensor, got {got}: give it reduction='mean'")
    return value


def parts_of(name: str, loss: Callable[..., Tensor], value: Tensor) -> dict[str, Tensor]:
    """A loss's value, detached, and its own parts."""
    inner = loss.parts if isinstance(loss, Composed) else {}
    return {name: value.detach(), **{f"{name}/{part}": of_part for part, of_part in inner.items()}}


def _counted(proportion: float | Schedule | LearnedProportion, part: Tensor) -> Tensor:
    if isinstance(proportion, LearnedProportion):
        return proportion.counted(part)
    return (proportion() if isinstance(proportion, Schedule) else proportion) * part


def _require_terms(terms: object) -> None:
    if not isinstance(terms, Mapping) or not terms:
        raise ValueError(f"terms must map names to (proportion, loss), at least one, got {terms!r}")
    for name, term in terms.items():
        if not isinstance(name, str) or not name:
            raise ValueError(f"names of terms must be non-empty strings, got {name!r}")
        if not isinstance(term, tuple) or len(term) != 2:
            raise ValueError(f"part {name!r} must be (proportion, loss), got {term!r}")
        proportion, loss = term
        if not isinstance(proportion, Schedule | LearnedProportion):
            require_factor(f"proportion of part {name!r}", proportion, ", a Schedule or a LearnedProportion")
        require_loss(f"part {name!r}", loss)


def _common_ignore_index(losses: Mapping[str, Callable[..., Tensor]]) -> int | None:
    ignored = {name: index for name, loss in losses.items() if (index := ignored_class(loss)) is not None}
    if len(set(ignored.values())) > 1:
        raise ValueError(f"parts must ignore the same class, got ignore_index {ignored}: give all of them the same one")
    return next(iter(ignored.values()), None)
