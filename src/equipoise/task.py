"""One task: what it is, what its loss is called with where labels are missing, and that call."""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from equipoise.arguments import number, positive_weight
from equipoise.missing import divisor_of, ignored_class, labelled, may_be_missing
from equipoise.names import nearest
from equipoise.notes import add_note
from equipoise.remedies import remedy, require_no_broadcast, takes_logits

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
            first = ": it comes first, Task(name, loss)" if callable(self.name) else ""
            raise ValueError(f"name must be a non-empty string, got {self.name!r}{first}")
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


def arguments_of(task: Task, outputs: Mapping[str, Any], targets: Mapping[str, Any]) -> tuple[list[Any], int]:
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


def divisor_for(task: Task, arguments: list[Any], count: int) -> float:
    """What the loss divides its sum by, checked."""
    divisor = divisor_of(task.loss, arguments, count, task.ignored_class)
    divisor = number(f"the divisor of the loss of task {task.name!r}", divisor)
    if not divisor >= 0:
        raise ValueError(f"the divisor of the loss of task {task.name!r} must be at least 0, got {divisor}")
    return divisor


def loss_of(task: Task, arguments: list[Any]) -> Tensor:
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
