"""Tasks: where names meet tensors, and where missing labels leave."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from equipoise.arguments import number, positive_weight
from equipoise.missing import divisor_of, ignored_class, labelled, may_be_missing
from equipoise.names import nearest, require_unique
from equipoise.notes import add_note
from equipoise.remedies import activation_of, are_hidden_missing, remedy, require_no_broadcast, takes_logits

_ITS_NAME = ""


@dataclass
class Task:
    """One thing the network learns; read-only once made.

    Args:
        name: Its name everywhere.
        loss: ``(output, target) -> scalar``; with ``target=None``, ``(output) -> scalar``. A loss with an
            attribute ``parts``, {name: tensor} of its last call, shows them in the balancer's record; one with a method
            ``divisor``, called with what the loss is called with, says what its sum is divided by where that is neither
            the number of labels nor, in ``torch.nn``'s losses over classes, their weights; at 0 the task is absent.
        weight: The user's importance of the task, positive; the balancer applies it, once. It is read when the
            balancer is made; ``balancer.set_weights`` changes it while training.
        output: The key of the task's output, by default its name. Several keys: the loss reads a tuple. ``None``
            in an output's place: the task is absent. A key given here must be there.
        target: The key of the task's target, by default its name. ``None``: the task needs no label
            and is present whenever its output is.
        missing: ``"rows"``: output and target are tensors with the batch first; a label is missing where a float target
            is NaN or an integer one is the loss's ``ignore_index``, its attribute or, of a function, that argument's
            default; samples whose whole label is missing leave before the loss is called. ``"loss"``: the loss sees
            everything.

    Raises:
        ValueError: If an argument is out of its range.
    """

    name: str
    loss: Callable[..., Tensor]
    _: KW_ONLY
    weight: float = 1.0
    output: str | tuple[str, ...] = _ITS_NAME
    target: str | None = _ITS_NAME
    missing: Literal["rows", "loss"] = "rows"
    takes_logits: bool = field(init=False, repr=False)  # a sigmoid or softmax is in the loss
    ignored_class: int | None = field(init=False, repr=False)  # the label that stands for a missing one

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"name must be a non-empty string, got {self.name!r}")
        if not callable(self.loss):
            raise ValueError(f"loss of task {self.name!r} must be callable, got {self.loss!r}")
        if isinstance(self.loss, type):
            raise ValueError(f"loss of task {self.name!r} is a class: write {self.loss.__name__}()")
        positive_weight(self.name, self.weight)
        if self.missing not in ("rows", "loss"):
            raise ValueError(f"missing of task {self.name!r} must be 'rows' or 'loss', got {self.missing!r}")
        if self.target == _ITS_NAME:
            self.target = self.name
        if self.output == _ITS_NAME:
            self.output = self.name
        keys = _keys(self)
        if not keys or not all(isinstance(key, str) and key for key in keys):
            raise ValueError(f"output of task {self.name!r} must be a name or a tuple of names, got {self.output!r}")
        self.takes_logits = takes_logits(self.loss)
        self.ignored_class = ignored_class(self.loss)

    def __setattr__(self, name: str, value: Any) -> None:
        if "ignored_class" in self.__dict__:  # the last that the constructor sets
            instead = "make a new Task"
            if name == "weight":
                instead = (
                    f"call balancer.set_weights({{{self.name!r}: {value!r}}}), or make a new Task for a new balancer"
                )
            raise AttributeError(f"{name} of task {self.name!r} cannot be set: {instead}")
        super().__setattr__(name, value)


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


class Tasks(nn.Module):
    """The tasks of one network, in order.

    A module, so that losses with parameters or buffers move with ``.to()`` and are saved; their
    parameters belong in the optimiser.

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
            arguments, count = _arguments(task, outputs, targets)
            if count == 0:
                continue
            self._look_for_activation(task, arguments[0])
            loss = _loss(task, arguments)
            if task.ignored_class is None and are_hidden_missing(task.name, arguments, loss):
                continue
            divisor = _divisor(task, arguments, count)
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


def _look_up(kind: str, key: str, task: Task, values: Mapping[str, Any]) -> Any:
    if key not in values:
        raise ValueError(f"no {kind} {key!r} for task {task.name!r}; {nearest(key, values)}")
    return values[key]


def _keys(task: Task) -> tuple[str, ...]:
    return task.output if isinstance(task.output, tuple) else (task.output,)


def _output(task: Task, outputs: Mapping[str, Any]) -> Any:
    """What the task's loss reads: one output, a tuple of several, or None where one is None."""
    values = tuple(_look_up("output", key, task, outputs) for key in _keys(task))
    if any(value is None for value in values):
        return None
    return values if isinstance(task.output, tuple) else values[0]


def _arguments(task: Task, outputs: Mapping[str, Any], targets: Mapping[str, Any]) -> tuple[list[Any], int]:
    """What the task's loss is called with, and the number of labels: 0 where the task is absent."""
    if task.target is None:
        absent = {} if task.output != task.name else {task.name: None}  # a key of the user's own must be there
        output = _output(task, {**absent, **outputs})
        return ([], 0) if output is None else ([output], _batch_size(output))
    target = _look_up("target", task.target, task, targets)
    output = None if target is None else _output(task, outputs)
    return ([], 0) if output is None else _labelled(task, output, target)


def _batch_size(value: Any) -> int:
    if isinstance(value, tuple):
        return _batch_size(value[0])
    return len(value) if isinstance(value, Tensor) and value.dim() > 0 else 1


def _present(task: Task, target: Tensor) -> Tensor | None:
    """True where a label is there, of the target's shape; None where none can be missing."""
    return labelled(target, task.ignored_class) if may_be_missing(target, task.ignored_class) else None


def _labelled(task: Task, output: Any, target: Any) -> tuple[list[Any], int]:
    """Output and target of the samples that have a label, and the number of labels."""
    if not isinstance(target, Tensor):
        if task.missing == "rows":
            raise ValueError(
                f"target of task {task.name!r} must be a tensor, got {type(target).__name__}: write "
                "torch.as_tensor(target); with missing='loss' the loss takes any target"
            )
        return [output, target], _batch_size(output)
    present = _present(task, target)
    count = target.numel() if present is None else int(present.sum())
    if present is None or count in (0, target.numel()) or task.missing == "loss":
        return [output, target], count
    by_row = [] if present.dim() == 1 else [present.flatten(1).any(dim=1), present.flatten(1).all(dim=1)]
    kept = by_row[0] if by_row else present
    tokens = getattr(task.loss, "takes_padding", False)  # NaN in a part of a sample is what it leaves out
    if by_row and target.is_floating_point() and not tokens and not torch.equal(*by_row):
        raise ValueError(
            f"target of task {task.name!r} is NaN in a part of a sample's label; make each part a task, "
            "or wrap its loss in losses.Masked and set missing='loss'"
        )
    if not isinstance(output, Tensor) or len(output) != len(target):
        shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(
            f"labels of task {task.name!r} are missing, so output and target must have the batch first, "
            f"got output {shape} and target {tuple(target.shape)}; set missing='loss' if the loss sees to it"
        )
    return [output[kept], target[kept]], count


def _divisor(task: Task, arguments: list[Any], count: int) -> float:
    """What the loss divides its sum by, checked."""
    divisor = divisor_of(task.loss, arguments, count, task.ignored_class)
    divisor = number(f"the divisor of the loss of task {task.name!r}", divisor)
    if not divisor >= 0:
        raise ValueError(f"the divisor of the loss of task {task.name!r} must be at least 0, got {divisor}")
    return divisor


def _loss(task: Task, arguments: list[Any]) -> Tensor:
    """The task's loss; whatever it raises says whose loss it was."""
    require_no_broadcast(f"output and target of task {task.name!r}", task.loss, arguments)
    try:
        loss = task.loss(*arguments)
    except Exception as error:
        add_note(error, f"in the loss of task {task.name!r}{remedy(task.loss, arguments)}")
        raise
    if not isinstance(loss, Tensor) or loss.dim() != 0:
        got = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise ValueError(f"loss of task {task.name!r} must return a scalar tensor, got {got}; give it reduction='mean'")
    return loss
