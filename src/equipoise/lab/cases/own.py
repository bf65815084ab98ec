"""One's own network and data set as they are: what a case makes of them."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import default_collate

from equipoise.names import nearest


@dataclass(frozen=True)
class AllHeads:
    """Task names -> the network that ``make`` makes, with the heads of all tasks."""

    make: Callable[[], nn.Module]

    def __call__(self, names: Sequence[str]) -> nn.Module:
        return self.make()


def network_maker(model: Callable[..., nn.Module]) -> Callable[[Sequence[str]], nn.Module]:
    """A function of task names as it is; of one without required arguments, ``AllHeads``.

    Raises:
        ValueError: It is a network, or nothing that can be called.
    """
    if isinstance(model, nn.Module) or not callable(model):
        raise ValueError(
            f"model must be a class or a function that makes a network, since every run trains a new one, got "
            f"{type(model).__name__}: write model={type(model).__name__}, or a function of the task names"
        )
    try:
        parameters = inspect.signature(model).parameters.values()
    except ValueError:  # a builtin shows none
        return model
    by_place = [one for one in parameters if one.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)]
    required = [one for one in by_place if one.default is Parameter.empty]
    takes_names = required or any(one.kind is Parameter.VAR_POSITIONAL for one in parameters)
    return model if takes_names else AllHeads(model)


def stack_samples(samples: list[Any], names: Sequence[str]) -> tuple[Any, dict[str, Tensor]]:
    """Inputs and targets by name, stacked by torch.

    A sample is (inputs, targets by name); or one dictionary, of which ``names`` are the targets and all else inputs,
    the only one as it is, several by name; float64 in it becomes torch's default dtype.

    Raises:
        ValueError: A sample is neither, or has no such target.
    """
    first = samples[0]
    for place, sample in enumerate(samples):
        labels = (
            sample
            if isinstance(sample, Mapping)
            else sample[-1]
            if isinstance(sample, tuple | list) and sample
            else None
        )
        if isinstance(labels, Mapping) and (none := [name for name in names if labels.get(name, 0) is None]):
            raise ValueError(
                f"target {none[0]!r} of sample {place} of a batch is None: a missing label is float('nan'), or of "
                "classes the loss's ignore_index, -100"
            )
    if isinstance(first, Mapping):
        batch = {key: _single(value) for key, value in default_collate(samples).items()}
        for name in names:
            if name not in batch:
                raise ValueError(f"a sample has no target {name!r}; {nearest(name, batch)}")
        targets = {name: batch.pop(name) for name in dict.fromkeys(names)}
        return next(iter(batch.values())) if len(batch) == 1 else batch, targets
    if not isinstance(first, tuple | list) or len(first) != 2 or not isinstance(first[1], Mapping):
        got = f"{type(first).__name__} of {len(first)}" if isinstance(first, tuple | list) else type(first).__name__
        raise ValueError(
            f"a sample must be (inputs, {{{names[0]!r}: label, ...}}) or one dictionary of both, got {got}: give "
            "collate=, a function from a list of samples to (inputs, targets by name)"
        )
    inputs, targets = default_collate(samples)
    return inputs, targets


def _single(value: Any) -> Any:
    is_double = isinstance(value, Tensor) and value.dtype == torch.float64
    return value.to(torch.get_default_dtype()) if is_double else value
