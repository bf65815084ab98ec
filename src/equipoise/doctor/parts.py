"""The parts of losses that are sums, and which of them conflicts with another task."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from equipoise.step import Step
from equipoise.watching.look import rows_of
from equipoise.watching.split import Addend, addends_of


@dataclass(frozen=True)
class LossPart:
    """One addend of a task's loss."""

    task: str
    name: str  # the loss's own, such as a term's of ``Mixed``, or ``term/inner`` of one in it
    norm: float  # of its gradient by the shared parameters, with its proportion
    cosine: float  # with the gradient of the task that it is most opposed to; NaN where there is no other
    against: str  # that task


def parts_of(step: Step, shared: Sequence[Tensor]) -> list[LossPart]:
    """Of all tasks whose losses are sums, one pass per part; empty where none is, and for parameters in parts."""
    addends = [_with_one_penalty(addends_of(loss)) for loss in step.losses]
    if not shared or any(hasattr(leaf, "to_local") for leaf in shared) or all(len(each) == 1 for each in addends):
        return []
    rows = [[_flat(row, shared) for row in rows_of(each, shared)] for each in addends]
    wholes = [torch.stack(each).sum(dim=0) for each in rows]
    found = []
    for task, parts in zip(step.names, rows, strict=True):
        if len(parts) == 1:
            continue
        given = list(step.parts.get(task, {}))
        named = [name for name in given if not any(other.startswith(f"{name}/") for other in given)]
        names = named if len(named) == len(parts) else [f"part[{i}]" for i in range(len(parts))]
        for name, part in zip(names, parts, strict=True):
            others = [(_cosine(part, g), n) for n, g in zip(step.names, wholes, strict=True) if n != task]
            cosine, against = min((one for one in others if one[0] == one[0]), default=(math.nan, ""))
            found.append(LossPart(task, name, float(part.norm()), cosine, against))
    return found


def _with_one_penalty(addends: list[Addend]) -> list[Addend]:
    """Those on each of many parameters are one part."""
    penalties = [addend for addend in addends if addend.is_penalty]
    if len(penalties) in (0, len(addends)):
        return addends
    first, *others = penalties
    return [replace(one, also=tuple(others)) if one is first else one for one in addends if one not in others]


def _flat(row: dict[Tensor, Tensor], leaves: Sequence[Tensor]) -> Tensor:
    gradients = [row[leaf].detach() if leaf in row else torch.zeros_like(leaf) for leaf in leaves]
    return torch.cat([gradient.flatten().double().cpu() for gradient in gradients])


def _cosine(first: Tensor, second: Tensor) -> float:
    size = float(first.norm() * second.norm())
    return float(first @ second) / size if size > 0 else math.nan
