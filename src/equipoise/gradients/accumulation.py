"""Several micro-batches, one step: gradients are summed task by task until the last of them goes backward."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from equipoise.gradients.graph import Graph
from equipoise.gradients.jacobian import Jacobian, UnsharedGradients
from equipoise.gradients.ranks import Ranks
from equipoise.gradients.roles import Roles
from equipoise.gradients.routes import Wanted, sequential
from equipoise.gradients.rows import Rows
from equipoise.plain import plain
from equipoise.torch_private.tensors import version


@dataclass
class Micro:
    """One micro-batch, before its backward passes."""

    tasks: Sequence[int]  # the present ones, among all
    losses: Sequence[Tensor]  # what is differentiated
    raw: Sequence[Tensor]  # the same without the users' weights
    parts: Mapping[int, Mapping[str, Tensor]]  # task -> what its loss consists of
    graph: Graph
    roles: Roles  # tasks numbered within the micro-batch
    counts: Mapping[int, float]  # task -> the labels behind its mean, where known


@dataclass
class Accumulated:
    """What the micro-batches amount to: tasks are numbered among those seen."""

    tasks: list[int]  # those seen, among all
    roles: Roles
    jacobian: Jacobian
    own: dict[tuple[int, Tensor], Tensor]  # task among all, private or outside leaf -> its gradient
    losses: dict[int, Tensor]  # task -> its mean loss
    parts: dict[int, dict[str, Tensor]]
    incoming: Tensor  # the sum of all

    def unshared(self, weights: Sequence[float] | None) -> UnsharedGradients:
        """The gradients by private and outside leaves, each task's times its weight, if there are any."""
        own = self.roles.own(len(self.tasks))
        unshared = UnsharedGradients(own, are_weighted=weights is not None)
        for k, (task, leaves) in enumerate(zip(self.tasks, own, strict=True)):
            gradients = [self.own.get((task, leaf)) for leaf in leaves]
            if weights is not None:
                gradients = [None if gradient is None else gradient * weights[k] for gradient in gradients]
            unshared.add(k, gradients)
        return unshared


class Accumulation:
    """Row k = incoming · sum_i c_ki g_ki / sum_i c_ki: the gradient of task k over all micro-batches i.

    c_ki is the task's number of labels, the incoming gradient where that is not known, and 0 where the task is
    absent. ``incoming`` is the sum of all incoming gradients: 1 if each loss was divided by their number.
    """

    def __init__(self, num_tasks: int) -> None:
        self.num_tasks = num_tasks
        self._rows = Rows()
        self.drop()

    def __reduce__(self) -> tuple[type["Accumulation"], tuple[int]]:
        return Accumulation, (self.num_tasks,)  # a copy of a balancer starts with none waiting

    def drop(self) -> None:
        """Forget what waits; the buffer of the rows is kept."""
        self.waiting = 0
        self._incoming = 0.0
        self._shared: dict[str, Tensor] = {}
        self._sharing: set[int] = set()
        self._private: dict[Tensor, int] = {}
        self._outside: dict[Tensor, set[int]] = {}
        self._own: dict[tuple[int, Tensor], Tensor] = {}
        self._seen: dict[Tensor, tuple[Any, ...]] = {}  # leaf -> what must not change between micro-batches
        self._first: dict[int, float] = {}  # task -> c / incoming of its first micro-batch
        self._weight: dict[int, float] = {}  # task -> sum of c
        self._is_counted: dict[int, bool] = {}
        self._losses: dict[int, Tensor] = {}  # task -> sum of c · loss
        self._parts: dict[int, dict[str, Tensor]] = {}
        self.under_joins: set[Tensor] = set()  # leaves below operations that join, where anybody looked

    @property
    def leaves(self) -> list[Tensor]:
        """All that has a gradient waiting."""
        return [*self._shared.values(), *self._private, *self._outside]

    def add(self, micro: Micro, incoming: Tensor) -> None:
        """Take the losses and gradients of a micro-batch; one whose incoming gradient is zero adds nothing.

        Raises:
            RuntimeError: If a parameter has changed since the first micro-batch.
            ValueError: If a task has counts in some micro-batches only.
        """
        self._require_same(micro)
        size = float(incoming)
        self.waiting += 1
        self._incoming += size
        if size == 0 or not micro.losses:
            return
        self._sort(micro)
        counts = {task: self._count(micro, task, size) for task in micro.tasks}
        for task, loss in zip(micro.tasks, micro.raw, strict=True):
            _add(self._losses, task, loss, counts[task])
            for part, value in micro.parts.get(task, {}).items():
                _add(self._parts.setdefault(task, {}), part, value, counts[task])
        points = [leaf if leaf in micro.graph.leaves else None for leaf in self._shared.values()]
        own = micro.roles.own(len(micro.losses))
        wanted = Wanted(
            micro.losses, micro.graph, [p for p in points if p is not None], own, incoming, micro.graph.is_kept()
        )
        for found in sequential(wanted):
            (k,) = found.tasks
            task = micro.tasks[k]
            factor = counts[task] / size / self._first[task]
            brought = iter(found.shared)
            self._rows.add(task, [None if p is None else next(brought) for p in points], factor)
            for leaf, gradient in zip(own[k], found.own[0], strict=True):
                if gradient is not None:
                    gradient = gradient if factor == 1.0 else gradient * factor
                    before = self._own.get((task, leaf))
                    self._own[task, leaf] = gradient if before is None else before + gradient

    def nothing(self) -> dict[Tensor, Tensor]:
        """Zeros for all that waits, so that hooks and reducers meet a gradient; sparse ones meet none."""
        sparse = {leaf for (_, leaf), gradient in self._own.items() if gradient.is_sparse}
        waiting = {leaf: plain(leaf) for leaf in self.leaves if leaf not in sparse}
        return {leaf: bare.new_zeros(()).expand_as(bare) for leaf, bare in waiting.items()}

    def close(self, ranks: Ranks) -> Accumulated:
        """All micro-batches as one step."""
        tasks = sorted(self._weight)
        place = {task: k for k, task in enumerate(tasks)}
        factors = [self._incoming * self._first[task] / self._weight[task] for task in tasks]
        shared = list(self._shared.values())
        jacobian = Jacobian(self._rows)
        jacobian.prepare(shared, self.num_tasks, ranks=ranks)
        self._rows.keep(tasks, factors)
        outside = [(leaf, sum(1 << place[k] for k in reach)) for leaf, reach in self._outside.items()]
        private = [(leaf, place[k]) for leaf, k in self._private.items()]
        roles = Roles(shared, list(self._shared), private, outside, sharing=sum(1 << place[k] for k in self._sharing))
        losses = {task: self._losses[task] / self._weight[task] for task in tasks}
        parts = {k: {name: part / self._weight[k] for name, part in of.items()} for k, of in self._parts.items()}
        incoming = torch.tensor(self._incoming, dtype=torch.float64, device="cpu")
        own = {key: gradient * factors[place[key[0]]] for key, gradient in self._own.items()}
        return Accumulated(tasks, roles, jacobian, own, losses, parts, incoming)

    def _sort(self, micro: Micro) -> None:
        """Note who reaches what, and make room for what is newly shared."""
        roles, tasks = micro.roles, micro.tasks
        self._seen.update({leaf: _state(leaf) for leaf in roles.shared})
        new = {name: leaf for name, leaf in zip(roles.names, roles.shared, strict=True) if name not in self._shared}
        if new:
            before = [
                dict(zip(self._shared, self._rows.row(k) if self._shared else (), strict=True))
                for k in range(self.num_tasks)
            ]
            every = self._shared | new
            # in the order of the parameters, by which a method may remember their coordinates
            self._shared = {name: every[name] for name in dict.fromkeys([*roles.names, *every])}
            self._rows.prepare(list(self._shared.values()), self.num_tasks)
            self._rows.clear()
            for k, row in enumerate(before):
                # what one task alone reached until now has waited beside the rows
                waited = row | {name: self._own.pop((k, leaf), None) for name, leaf in new.items()}
                self._rows.add(k, [waited[name] for name in self._shared], 1.0)
        self._sharing |= {task for k, task in enumerate(tasks) if roles.sharing >> k & 1}
        for leaf in new.values():
            if leaf in self._private:
                self._sharing.add(self._private.pop(leaf))
        self._private.update({leaf: tasks[k] for leaf, k in roles.private})
        for leaf, mask in roles.outside:
            self._outside.setdefault(leaf, set()).update(task for k, task in enumerate(tasks) if mask >> k & 1)
        # below a part of joined outputs that the losses of another micro-batch take
        for leaf in [*self._private, *self._shared.values()]:
            self._outside.pop(leaf, None)

    def _count(self, micro: Micro, task: int, incoming: float) -> float:
        """What a task weighs in a micro-batch."""
        is_counted = task in micro.counts
        if self._is_counted.setdefault(task, is_counted) != is_counted:
            raise ValueError("counts must be given for a task in every micro-batch of a step, or in none")
        count = micro.counts[task] if is_counted else incoming
        self._weight[task] = self._weight.get(task, 0.0) + count
        self._first.setdefault(task, count / incoming)
        return count

    def _require_same(self, micro: Micro) -> None:
        for name, leaf in zip(micro.roles.names, micro.roles.shared, strict=True):
            if self._shared.get(name, leaf) is not leaf or self._seen.get(leaf, _state(leaf)) != _state(leaf):
                raise RuntimeError(
                    f"parameter {name!r} has changed while {self.waiting} micro-batches waited, so gradients cannot be "
                    "summed: let the optimiser step once per accumulate(n), and call drop() before parameters are "
                    "replaced"
                )


def _state(leaf: Tensor) -> tuple[Any, ...]:
    return version(leaf), leaf.shape, leaf.dtype, leaf.device


def _add(sums: dict[Any, Tensor], key: Any, value: Tensor, factor: float) -> None:
    """Add a multiple to a sum, at least in float32."""
    term = value.detach().to(torch.promote_types(value.dtype, torch.float32)) * factor
    sums[key] = sums[key] + term if key in sums else term
