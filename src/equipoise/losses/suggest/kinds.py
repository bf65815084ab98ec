"""What kind of task some targets belong to."""

from dataclasses import dataclass

import torch
from torch import Tensor

from equipoise.losses.suggest.suggestion import digits
from equipoise.losses.suggest.thresholds import MOST_CLASSES
from equipoise.missing import labelled


@dataclass(frozen=True)
class Targets:
    """Targets as they are, with what is seen in them."""

    values: Tensor
    present: Tensor  # False where a label is missing: NaN, or an integer's ignore_index
    num_classes: int | None  # as the user gives it
    ignore_index: int

    @property
    def floating(self) -> bool:
        return self.values.is_floating_point()

    @property
    def known(self) -> Tensor:
        """The present values, in one dimension."""
        return self.values[self.present]

    @property
    def missing(self) -> float:
        """The share of missing labels."""
        return 1 - self.present.sum().item() / self.present.numel()

    @property
    def whole(self) -> bool:
        """Whether all are whole numbers."""
        return not self.floating or bool((self.known == self.known.round()).all())

    @property
    def unit(self) -> bool:
        """Whether all lie in [0, 1]."""
        least, most = self.range
        return least >= 0 and most <= 1

    @property
    def range(self) -> tuple[float, float]:
        least, most = self.known.to(torch.int8 if self.known.dtype == torch.bool else self.known.dtype).aminmax()
        return least.item(), most.item()

    @property
    def shape(self) -> str:
        """As it is printed: [N, 3]."""
        return f"[{', '.join(['N', *map(str, self.values.shape[1:])])}]"

    @property
    def columns(self) -> int:
        """The number of values per sample, of targets [N] or [N, D]."""
        return self.values.shape[1] if self.values.dim() > 1 else 1

    @property
    def distributions(self) -> bool:
        """Whether the rows of [N, C] are shares of C classes."""
        if self.values.dim() != 2 or self.columns < 2 or not self.unit or not self.present.all():
            return False
        return bool(((self.values.double().sum(dim=1) - 1).abs() < 1e-3).all())

    def __str__(self) -> str:
        """In words: floats in [0, 1] with 28 columns."""
        least, most = self.range
        kind = "booleans" if self.values.dtype == torch.bool else "floats" if self.floating else "integers"
        if self.floating and self.whole:
            kind = "whole numbers (as floats)"
        where = f" with {self.columns} columns" if self.values.dim() == 2 else f" of shape {tuple(self.values.shape)}"
        return f"{kind} in [{digits(least)}, {digits(most)}]{where}"


def look(targets: Tensor, num_classes: int | None, ignore_index: int) -> Targets:
    """Targets, after it is certain that there is something to see.

    Raises:
        ValueError: If there is nothing to see, or something that no target is.
    """
    if not isinstance(targets, Tensor):
        raise ValueError(f"targets must be a tensor, got {type(targets).__name__}: torch.as_tensor(targets)")
    if targets.is_complex() or targets.dim() == 0:
        raise ValueError(f"targets must be real, batch first, got {targets.dtype} of shape {tuple(targets.shape)}")
    if num_classes is not None and num_classes < 1:
        raise ValueError(f"num_classes must be at least 1, got {num_classes!r}")
    if not targets.is_floating_point() and targets.dtype not in (torch.bool, torch.int64):
        raise ValueError(f"targets are {targets.dtype}, and classes are int64: give targets.long()")
    if targets.numel() == 0:
        raise ValueError("targets are empty: give those of the training set")
    values = targets.detach().cpu()
    values = values.double() if values.is_floating_point() else values
    seen = Targets(values, labelled(values, ignore_index), num_classes, ignore_index)
    if not seen.present.any():
        raise ValueError(f"targets are all missing (NaN or {ignore_index}): there is nothing to choose a loss by")
    if seen.known.isinf().any():
        raise ValueError("targets must be finite, got inf: set them to NaN if they are missing")
    return seen


def require_no_stand_in(seen: Targets) -> None:
    """Raise where a number is there that often stands for a missing label: -1 before classes, 255 in a mask.

    Raises:
        ValueError: If there is one, with what to pass.
    """
    if not seen.whole or seen.values.dtype == torch.bool:
        return
    found = [int(value) for value in seen.known.unique().tolist()]
    if found == [-1, 1]:
        raise ValueError("targets are -1 and 1: pass (targets > 0).float(), or task='regression' for numbers")
    before = found[:2] == [-1, 0] and (not seen.floating or found in ([-1, 0], [-1, 0, 1]))
    beyond = found[-1] == 255 and len(found) > 1 and found[-2] < 200 and not seen.floating and seen.values.dim() > 2
    if before or beyond:
        number = -1 if before else 255
        remedy = f"targets.masked_fill(targets == {number}, torch.nan)" if seen.floating else f"ignore_index={number}"
        raise ValueError(
            f"targets hold {number}, which often stands for a missing label: pass {remedy}; "
            "or task='regression' for numbers"
        )


def guess(seen: Targets) -> tuple[str, str]:
    """The likeliest kind, and the reason."""
    dims, whole, unit = seen.values.dim(), seen.whole, seen.unit
    alone = dims == 1 or (dims == 2 and seen.columns == 1)
    least, _ = seen.range
    if dims > 2:
        if (unit and whole) or not seen.floating:
            return "segmentation", "a whole number at every pixel"
        return ("depth", "positive numbers in an image") if least > 0 else ("regression", "numbers of any sign or size")
    if unit and alone and (whole or not seen.floating):
        return "binary", "one 0 or 1 per sample"
    if seen.distributions:
        return "multiclass", "rows that sum to 1"
    if unit and not alone and whole:
        return "multilabel", "several 0 or 1 per sample"
    if seen.floating:
        return "regression", "numbers in floats"
    if least < 0:
        return "regression", "whole numbers, some of them negative"
    different = seen.known.unique().numel()
    if alone and (2 * different > seen.known.numel() or least > different):
        return "regression", "whole numbers, too many different ones or too far from 0 for classes"
    return ("multiclass", "one class index per sample") if alone else ("sequence", "one class index at every position")


def find_task(name: str) -> str:
    """A kind of task that targets decide on, by any name of it.

    Raises:
        ValueError: If there is no such kind, or targets alone do not decide on its loss.
    """
    from equipoise.losses.catalog import find_kind  # the table of all losses: not before it is needed

    kind = find_kind(name)
    if kind not in _FAULTS:
        raise ValueError(f"targets do not decide on a loss for task={name!r}: see equipoise losses --task {kind}")
    return kind


def require_fit(task: str, seen: Targets) -> None:
    """Raise, with the kind that fits, unless targets can be of this kind.

    Raises:
        ValueError: If they cannot.
    """
    fault = _FAULTS[task](seen)
    if fault:
        raise ValueError(f"targets are {seen}: {fault}")


def _other(task: str, seen: Targets) -> str:
    better, _ = guess(seen)
    return f"task={better!r} fits, {task!r} does not" if better != task else f"they do not fit task={task!r}"


def _binary(seen: Targets) -> str | None:
    if seen.values.dim() > 2 or not seen.unit or (seen.values.dim() == 2 and seen.columns > 1):
        return _other("binary", seen)
    return None


def _multiclass(seen: Targets) -> str | None:
    if seen.distributions:
        return None
    return _indices(seen, "multiclass", dims=(1, 1))


def _multilabel(seen: Targets) -> str | None:
    if seen.values.dim() != 2 or seen.columns < 2 or not seen.unit:
        return _other("multilabel", seen)
    return None


def _ordinal(seen: Targets) -> str | None:
    return _indices(seen, "ordinal", dims=(1, 1), first="levels")


def _regression(seen: Targets) -> str | None:
    return _other("regression", seen) if seen.values.dtype == torch.bool else None


def _depth(seen: Targets) -> str | None:
    if not seen.floating or seen.values.dim() < 3:
        return "depth is floats in images, [N, H, W] or [N, 1, H, W]"
    if seen.range[0] < 0:
        return "depth is positive; task='regression' takes any numbers"
    return None if seen.known.any() else "all are 0: there is nothing to learn"


def _segmentation(seen: Targets) -> str | None:
    if seen.values.dim() < 3:
        return _other("segmentation", seen)
    if seen.floating or seen.values.dtype == torch.bool:
        if seen.values.dim() == 3:
            return "masks are [N, L, H, W]: unsqueeze(1) them; classes are integers [N, H, W]"
        return None if seen.unit else _other("segmentation", seen)
    if seen.values.shape[1] == 1:
        return "classes are [N, H, W]: squeeze(1) them"
    return _indices(seen, "segmentation", dims=(3, 5))


def _sequence(seen: Targets) -> str | None:
    return _indices(seen, "sequence", dims=(2, 2))


def _indices(seen: Targets, task: str, dims: tuple[int, int], first: str = "classes") -> str | None:
    """What keeps these from being class indices of so many dimensions."""
    least, most = seen.range
    if not seen.whole or seen.values.dtype == torch.bool:
        return _other(task, seen)
    if seen.values.dim() == 2 and seen.columns == 1 and dims == (1, 1):
        return f"{first} are [N]: squeeze(1) them"
    if not dims[0] <= seen.values.dim() <= dims[1]:
        return _other(task, seen)
    if least < 0:
        return f"{first} count from 0; if {least:g} means missing, pass ignore_index={least:g}"
    if first == "levels" and least > 0:
        shifted = f"targets - {least:g}"
        return f"levels count from 0: give {_as_integers(f'({shifted})', seen) if seen.floating else shifted}"
    if seen.floating:
        return f"{first} are integers: give {_as_integers('targets', seen)}"
    if most >= MOST_CLASSES:
        return f"{first} count from 0 without gaps: number them, as torch.unique(targets, return_inverse=True) does"
    if seen.num_classes is not None and most >= seen.num_classes:
        return f"num_classes={seen.num_classes} leaves room for {first} 0 to {seen.num_classes - 1}"
    return None


def _as_integers(expression: str, seen: Targets) -> str:
    filled = f".nan_to_num({seen.ignore_index})" if seen.missing else ""
    return f"{expression}{filled}.long()"


_FAULTS = {
    "binary": _binary,
    "multiclass": _multiclass,
    "multilabel": _multilabel,
    "ordinal": _ordinal,
    "regression": _regression,
    "depth": _depth,
    "segmentation": _segmentation,
    "sequence": _sequence,
}
