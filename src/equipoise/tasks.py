"""Tasks: where names meet tensors."""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from torch import Tensor, nn

from equipoise.names import nearest, require_unique
from equipoise.remedies import activation_of, are_hidden_missing
from equipoise.task import Task, arguments_of, divisor_for, loss_of


class TaskLosses(dict[str, Tensor]):
    """Raw losses by task name, present tasks only.

    ``counts`` are the labels behind each mean, or what a loss says it divides by; ``parts`` what some losses say they
    consist of; ``weights`` those of all tasks that made them, which are not in the losses.
    """

    def __init__(
        self,
        losses: Mapping[str, Tensor],
        counts: Mapping[str, float],
        parts: Mapping[str, Mapping[str, Tensor]],
        weights: Mapping[str, float],
    ) -> None:
        super().__init__(losses)
        self.counts: dict[str, float] = dict(counts)
        self.parts: dict[str, Mapping[str, Tensor]] = dict(parts)
        self.weights: dict[str, float] = dict(weights)

    def __getattr__(self, name: str) -> Any:
        goes = ": what goes backward is balancer(losses), or sum(losses.values())" if name == "backward" else ""
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{goes}", name=name, obj=self)


class Tasks(nn.Module):
    """The tasks of one network, in order.

    A module, so that losses with parameters or buffers move with ``.to()`` and are saved; their
    parameters belong in the optimiser.

    >>> import torch
    >>> tasks = Tasks([Task("depth", nn.L1Loss()), Task("labels", nn.CrossEntropyLoss(), weight=0.5)])
    >>> tasks.names
    ('depth', 'labels')
    >>> losses = tasks.losses(
    ...     {"depth": torch.tensor([1.0, 5.0]), "labels": torch.zeros(2, 3)},
    ...     {"depth": torch.tensor([2.0, torch.nan]), "labels": None},
    ... )
    >>> losses, losses.counts
    ({'depth': tensor(1.)}, {'depth': 1.0})
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        """The tasks of one network, in order; names are unique."""
        super().__init__()
        if not isinstance(tasks, Iterable):
            raise ValueError(f"tasks must be a list of Task objects, got {tasks!r}")
        self._tasks = tuple(tasks)
        if not self._tasks:
            raise ValueError("tasks is empty: give at least one Task")
        strangers = [task for task in self._tasks if not isinstance(task, Task)]
        if strangers:
            raise ValueError(f"tasks must hold Task objects, Task(name, loss), got {strangers[0]!r}")
        self._names = tuple(task.name for task in self._tasks)
        require_unique(self._names)
        self._by_name = dict(zip(self._names, self._tasks, strict=True))
        self._activated: set[str] = set()  # tasks that were warned of a sigmoid or softmax before their loss
        self._losses = nn.ModuleList(task.loss for task in self._tasks if isinstance(task.loss, nn.Module))

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks' names, in order."""
        return self._names

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Task]:
        return iter(self._tasks)

    def __getitem__(self, name: str) -> Task:
        """The task of that name."""
        if name in self._by_name:
            return self._by_name[name]
        raise KeyError(f"no task {name!r}; {nearest(str(name), self.names)}")

    def __repr__(self) -> str:
        return f"Tasks({list(self._tasks)!r})"

    def end_epoch(self) -> None:
        """Tell the schedules of the losses, each once, that an epoch has ended."""
        listening = [module for module in self.modules() if module is not self and hasattr(module, "end_epoch")]
        for module in listening:
            if not any(part in listening for part in module.modules() if part is not module):
                cast(Any, module).end_epoch()

    def losses(self, outputs: Mapping[str, Any], targets: Mapping[str, Any] | None = None) -> TaskLosses:
        """The raw loss of every task that has a label in this batch.

        Args:
            outputs: The network's outputs by name.
            targets: The labels by target name; ``None`` in a target's place: no labels in this batch.

        Raises:
            ValueError: If an output or a target is not there, a sample's label is missing in part, or
                a loss does not return a scalar tensor.
        """
        targets = {} if targets is None else targets
        for argument, value in (("outputs", outputs), ("targets", targets)):
            if not isinstance(value, Mapping):
                how = "split it, {{{!r}: {}[:, k], ...}}" if isinstance(value, Tensor) else "name them, {{{!r}: {}[0]}}"
                how = f": {how.format(self.names[0], argument)}" if isinstance(value, Tensor | tuple | list) else ""
                raise ValueError(f"{argument} must map names to tensors, got {type(value).__name__}{how}")
        losses: dict[str, Tensor] = {}
        counts: dict[str, float] = {}
        parts: dict[str, Mapping[str, Tensor]] = {}
        for task in self._tasks:
            arguments, count = arguments_of(task, outputs, targets)
            if count == 0:
                continue
            self._look_for_activation(task, arguments[0])
            loss = loss_of(task, arguments)
            if task.ignored_class is None and are_hidden_missing(task.name, arguments, loss):
                continue
            divisor = divisor_for(task, arguments, count)
            if divisor > 0:
                losses[task.name], counts[task.name] = loss, divisor
                if hasattr(task.loss, "parts"):
                    parts[task.name] = {name: part.detach() for name, part in task.loss.parts.items()}
        return TaskLosses(losses, counts, parts, {task.name: task.weight for task in self._tasks})

    def _look_for_activation(self, task: Task, output: Any) -> None:
        """Warn, once for a task, of probabilities where its loss takes logits."""
        if task.takes_logits and task.name not in self._activated and (activation := activation_of(output)):
            self._activated.add(task.name)
            warnings.warn(
                f"the output of task {task.name!r} comes from a {activation}, and its loss has one in it: give "
                f"the loss what goes into the {activation}",
                stacklevel=3,
            )
