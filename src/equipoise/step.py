"""One checked call of a balancer: which tasks are present, with the users' weights applied, once."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from equipoise.arguments import number, positive_weight, short_repr
from equipoise.names import nearest, require_unique
from equipoise.plain import PLAIN, plain
from equipoise.tasks import TaskLosses, Tasks
from equipoise.torch_private.tensors import are_inside_functorch


@dataclass
class Step:
    """K present tasks."""

    present: list[int]  # indices among all tasks
    names: tuple[str, ...]
    raw: list[Tensor]  # the losses as given
    weights: tuple[float, ...]  # [K], the users', as the balancer holds them
    losses: list[Tensor]  # with those weights
    stacked: Tensor  # [K], the same on one device
    total: Tensor  # [], their sum, each times the weight that the user stated in the method, if any
    representation: Tensor | None
    parts: Mapping[str, Mapping[str, Tensor]]  # what a task's loss consists of, by the loss's own word

    @cached_property
    def tasks(self) -> Tensor:
        """Indices [K] among all tasks, beside the losses."""
        return torch.tensor(self.present, device=self.stacked.device)

    @property
    def raw_values(self) -> Tensor:
        """The losses [K] as given, cut off."""
        if set(self.weights) == {1.0}:
            return self.stacked.detach()
        return on_one_device([loss.detach() for loss in self.raw])

    def only(self, tasks: Collection[int]) -> "Step":
        """The step in which of all tasks these alone are present; its total stays."""
        places = [place for place, task in enumerate(self.present) if task in tasks]
        if len(places) == len(self.present):
            return self
        return replace(
            self,
            present=[self.present[place] for place in places],
            names=tuple(self.names[place] for place in places),
            raw=[self.raw[place] for place in places],
            weights=tuple(self.weights[place] for place in places),
            losses=[self.losses[place] for place in places],
            stacked=self.stacked[places],
        )

    def stated(self, factors: Sequence[float] | None) -> "Step":
        """The step whose total has the weights [K] in it that the user stated in the method."""
        if factors is None or not self.losses:
            return self
        return replace(self, total=_sum(self.stacked.detach().unbind(), factors))

    def require_graph(self) -> None:
        """Raise if a loss cannot be differentiated."""
        for name, loss, is_inside in zip(self.names, self.losses, are_inside_functorch(self.losses), strict=True):
            if is_inside:
                raise RuntimeError(
                    f"loss of task {name!r} was made inside torch.func (grad, vmap, jvp), which sees nothing of a "
                    "backward pass: call balancer(losses).backward() outside and read .grad; or differentiate the sum "
                    "of weights[name] * loss there, with weights = balancer.record.weights of a step outside"
                )
            if not loss.requires_grad:
                raise ValueError(
                    f"loss of task {name!r} has no graph: was it detached, or computed under no_grad? "
                    "A task without a label in this batch is left out of the losses"
                )


def user_weights(tasks: Tasks | Iterable[str] | Mapping[str, float]) -> dict[str, float]:
    """The users' weights by task name, in order, from any of the forms in which a balancer takes its tasks."""
    if isinstance(tasks, Tasks):
        return {task.name: task.weight for task in tasks}
    if isinstance(tasks, str) or not isinstance(tasks, Iterable):
        raise ValueError(f"tasks must be Tasks, names or {{name: weight}}, got {tasks!r}")
    names = tuple(tasks)
    strangers = [name for name in names if not isinstance(name, str)]
    if strangers:
        raise ValueError(
            f"tasks must be Tasks, names or {{name: weight}}, got among the names {short_repr(strangers[0])}"
        )
    if isinstance(tasks, Mapping):
        weights = {name: positive_weight(name, weight) for name, weight in tasks.items()}
    else:
        require_unique(names)
        weights = dict.fromkeys(names, 1.0)
    if not weights:
        raise ValueError("tasks is empty: name at least one")
    return weights


def indices(names: Iterable[str], values: Mapping[str, Any]) -> list[int]:
    """The tasks that a mapping names, among all names, in order."""
    if not isinstance(values, Mapping):
        names, got = list(names), type(values).__name__
        raise ValueError(f"losses, counts and results map task names to values, got {got}: write {{{names[0]!r}: ...}}")
    names = tuple(names)
    for name in values:
        if name not in names:
            raise ValueError(f"no task {name!r}; {nearest(str(name), names)}")
    return [k for k, name in enumerate(names) if name in values]


def negated(names: Iterable[str], lower_is_better: Iterable[str]) -> frozenset[str]:
    """The tasks of whose results less is better.

    Raises:
        ValueError: If there is no such task, or these are no names.
    """
    if isinstance(lower_is_better, str):
        raise ValueError(
            f"lower_is_better must be a list of names, got {lower_is_better!r}: write [{lower_is_better!r}]"
        )
    names = tuple(names)
    if not isinstance(lower_is_better, Iterable):
        raise ValueError(
            f"lower_is_better must be a list of names, got {short_repr(lower_is_better)}: list them, of {list(names)}"
        )
    lower = tuple(lower_is_better)
    for name in lower:
        if name not in names:
            raise ValueError(f"no task {name!r} in lower_is_better; {nearest(str(name), names)}")
    return frozenset(lower)


def results_of(
    names: Sequence[str], results: Mapping[str, float], lower_is_better: Iterable[str]
) -> tuple[Tensor, Tensor]:
    """Validation results [K] by task name, of which higher is better, and their tasks [K], on the CPU.

    Raises:
        ValueError: If a name is unknown, or a result is no number.
    """
    tasks, lower = indices(names, results), negated(names, lower_is_better)
    found = [number(f"result of task {names[k]!r}", results[names[k]]) for k in tasks]
    signed = [-value if names[k] in lower else value for k, value in zip(tasks, found, strict=True)]
    return torch.tensor(signed, dtype=torch.float64, device="cpu"), torch.tensor(tasks, device="cpu")


def counts_of(
    names: Iterable[str], losses: Mapping[str, Tensor], counts: Mapping[str, float] | None
) -> Mapping[str, float]:
    """The labels behind each mean where they are known: as given, or as ``Tasks.losses`` counted them."""
    if counts is None:
        return losses.counts if isinstance(losses, TaskLosses) else {}
    indices(names, counts)
    return counts


def labels_of(counts: Mapping[str, float], name: str) -> float:
    """The labels behind a task's loss; a loss without a count counts as one label.

    Raises:
        ValueError: If the count is negative or not finite.
    """
    count = number(f"counts of task {name!r}", counts.get(name, 1.0))
    if not 0 <= count < math.inf:
        raise ValueError(f"counts of task {name!r} must be 0 or more labels, got {count!r}")
    return count


def take_step(weights: Mapping[str, float], losses: Mapping[str, Tensor], representation: Tensor | None) -> Step:
    """Check the arguments of a call and apply the users' weights."""
    present = indices(weights, losses)
    every = tuple(weights)
    names = tuple([every[k] for k in present])
    for name in names:
        if not isinstance(losses[name], Tensor) or losses[name].dim() != 0:
            shape = getattr(losses[name], "shape", None)
            got = f"{type(losses[name]).__name__}: leave out .item()" if shape is None else f"{shape}; reduce it"
            raise ValueError(f"loss of task {name!r} must be a scalar tensor, got {got}")
    if representation is not None:
        if not isinstance(representation, Tensor):
            raise ValueError(f"representation must be one tensor, got {type(representation).__name__}")
        if torch.is_grad_enabled() and not representation.requires_grad:
            raise ValueError("representation must have a graph, got a detached tensor")
    raw = [losses[name] for name in names]
    raw = raw if PLAIN.issuperset(map(type, raw)) else [plain(loss) for loss in raw]
    factors = tuple([weights[name] for name in names])
    weighted = [x if factor == 1.0 else x * factor for factor, x in zip(factors, raw, strict=True)]
    stacked = on_one_device(weighted) if weighted else torch.zeros(0)
    total = _sum(stacked.detach().unbind(), [1.0] * len(weighted)) if weighted else stacked.sum()
    parts = losses.parts if isinstance(losses, TaskLosses) else {}
    return Step(present, names, raw, factors, weighted, stacked, total, representation, parts)


def _sum(losses: Sequence[Tensor], factors: Sequence[float]) -> Tensor:
    """sum_k factors_k losses_k [], in the order of the tasks, a tensor of its own."""
    first, *others = [x if factor == 1.0 else x * factor for x, factor in zip(losses, factors, strict=True)]
    return sum(others, first) if others else first.clone()


def on_one_device(losses: list[Tensor]) -> Tensor:
    """Losses [K], where the first of them is."""
    device = losses[0].device
    return torch.stack([loss if loss.device == device else loss.to(device) for loss in losses])
