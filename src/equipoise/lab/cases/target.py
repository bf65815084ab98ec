"""A column as a task: its labels, loss, head and metrics, by its kind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor, nn

from equipoise.lab.cases.metric import Metric
from equipoise.lab.cases.metrics import Named, make_metrics
from equipoise.lab.cases.tuned import tuned_f1
from equipoise.lab.cases.usual_losses import Losses, binary_losses, counted_class_losses, label_losses, number_losses
from equipoise.lab.data.cells import binary, classes, label_sets, levels, numbers
from equipoise.lab.data.features import standardised
from equipoise.lab.data.table import Table
from equipoise.lab.models.heads import scalar_head
from equipoise.losses import CornLoss
from equipoise.losses.catalog import find_kind
from equipoise.missing import MISSING, labelled
from equipoise.names import key_of, nearest
from equipoise.tasks import Task, Tasks

TARGET_KINDS = ("regression", "binary", "multiclass", "ordinal", "multilabel")
Rows = Sequence[int]


@dataclass(frozen=True)
class Target:
    """Which column is to be predicted, and as what.

    Args:
        column: Its name, and the task's.
        kind: One of ``TARGET_KINDS``.
        order: For an ordinal target whose levels are no numbers: their names, the least first.

    Raises:
        ValueError: If there is no such kind, or an order does not suit it.
    """

    column: str
    kind: str
    order: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in TARGET_KINDS:
            raise ValueError(f"no kind {self.kind!r} of target {self.column!r}; {nearest(self.kind, TARGET_KINDS)}")
        if self.order and self.kind != "ordinal":
            raise ValueError(f"target {self.column!r} is {self.kind}, which has no order: {','.join(self.order)}")
        if not all(self.order) or len(set(self.order)) < len(self.order):
            raise ValueError(f"levels of target {self.column!r} must be different names, got {','.join(self.order)!r}")

    @classmethod
    def parse(cls, text: str) -> "Target":
        """From ``column:kind``, or ``column:ordinal:low,middle,high``.

        Raises:
            ValueError: If the text is not so.

        >>> Target.parse("price: net:regression")
        Target(column='price: net', kind='regression', order=())
        """
        head, colon, order = text.rpartition(":")
        if colon and head.endswith(":ordinal"):
            return cls(head.removesuffix(":ordinal"), "ordinal", tuple(name.strip() for name in order.split(",")))
        if not colon or not head:
            raise ValueError(f"a target is COLUMN:KIND, got {text!r}; kinds are {', '.join(TARGET_KINDS)}")
        return cls(head, _kind(head, order.strip()))

    def __str__(self) -> str:
        return ":".join([self.column, self.kind, *([",".join(self.order)] if self.order else [])])


def _kind(column: str, name: str) -> str:
    """One of ``TARGET_KINDS`` by any name of it; another word as it is."""
    if key_of(name) in ("classification", "classes", "categorical"):
        raise ValueError(f"{name!r} of target {column!r} is 'binary' or 'multiclass': say which")
    try:
        found = find_kind(name)
    except ValueError:
        return name
    return found if found in TARGET_KINDS else name


@dataclass(frozen=True)
class LabelledTarget:
    """What a target brings to a case.

    Args:
        kind: One of ``TARGET_KINDS``.
        task: Its loss, by the column's name.
        losses: By name, all that fit; empty where that is its own alone.
        labels: Of all rows [N, ...], as the loss takes them.
        make_head: Numbers per row -> head.
        metrics: The primary one first.
        names: Of its classes, levels or labels, in the order of their numbers; empty for regression.
        mean: What the network's 0 stands for, in the column's unit.
        deviation: What the network's 1 is more than that.
    """

    kind: str
    task: Task
    losses: Losses
    labels: Tensor
    make_head: Callable[[int], nn.Module]
    metrics: tuple[Metric, ...]
    names: tuple[str, ...] = ()
    mean: float = 0.0
    deviation: float = 1.0


class LevelLoss(CornLoss):
    """CORN, as in ``equipoise.losses``, where -100 is a missing level."""

    ignore_index = MISSING


def make_target(target: Target, table: Table, splits: dict[str, Rows]) -> LabelledTarget:
    """The labels in a column; of regression, standardised on the training rows and judged in their own unit.

    Args:
        target: The column and its kind.
        table: The table.
        splits: The rows of "train", "validation" and "test".

    Raises:
        ValueError: If a cell is not of the kind, or a split lacks labels.
    """
    column = target.column
    if target.kind == "regression":
        values = numbers(table, column)
        _require_labels(values, target, table, splits)
        scaled, mean, deviation = standardised(table, column, splits["train"], f"target {column!r} of {table.name}")
        fitting = number_losses()
        task = Task(column, fitting["mse"]())
        metrics = tuple(_in_unit(metric, mean, deviation) for metric in _metrics(task, values, splits))
        return LabelledTarget(
            target.kind, task, fitting, scaled.float(), scalar_head, metrics, mean=mean, deviation=deviation
        )
    if target.kind == "binary":
        labels, both = binary(table, column)
        _require_classes(labels, both, target, table, splits, everywhere=True)
        fitting = binary_losses(labels[list(splits["train"])])
        task = Task(column, fitting["bce"]())
        return LabelledTarget(
            target.kind, task, fitting, labels, scalar_head, _metrics(task, labels, splits), tuple(both)
        )
    if target.kind == "multiclass":
        labels, names = classes(table, column)
        _require_classes(labels, names, target, table, splits)
        fitting = counted_class_losses(labels[list(splits["train"])], len(names))
        task = Task(column, fitting["cross-entropy"]())
        metrics = _metrics(task, labels, splits, num_classes=len(names))
        head = partial(nn.Linear, out_features=len(names))
        return LabelledTarget(target.kind, task, fitting, labels, head, metrics, tuple(names))
    if target.kind == "ordinal":
        labels, names = levels(table, column, target.order)
        _require_classes(labels, names, target, table, splits)
        task = Task(column, LevelLoss())
        head = partial(nn.Linear, out_features=len(names) - 1)
        return LabelledTarget(target.kind, task, {}, labels, head, _metrics(task, labels, splits), tuple(names))
    labels, names = label_sets(table, column)
    _require_labels(labels[:, 0], target, table, splits)
    fitting = label_losses(labels[list(splits["train"])])
    task = Task(column, fitting["bce"]())
    validation = labels[list(splits["validation"])]
    f1 = tuned_f1(validation[labelled(validation[:, 0])], ["macro"])  # a loss may move the logits of all samples
    metrics = _metrics(task, labels, splits, (*f1, "average-precision"), num_labels=len(names))
    head = partial(nn.Linear, out_features=len(names))
    return LabelledTarget(target.kind, task, fitting, labels, head, metrics, tuple(names))


def _metrics(
    task: Task, labels: Tensor, splits: dict[str, Rows], chosen: Sequence[Named] = (), **size: int
) -> tuple[Metric, ...]:
    """Those chosen, by default those that follow from the loss."""
    train, validation = ({task.name: labels[list(splits[split])]} for split in ("train", "validation"))
    sizes = {task.name: size} if size else {}
    named = {task.name: chosen} if chosen else {}
    return make_metrics(Tasks([task]), train, validation, named, sizes)[task.name]


def _in_unit(metric: Metric, mean: float, deviation: float) -> Metric:
    """The metric of numbers that were standardised, on the numbers themselves."""

    def compute(outputs: Tensor, targets: Tensor) -> float:
        return metric.compute(outputs.double() * deviation + mean, targets.double() * deviation + mean)

    return replace(metric, compute=compute)


def _require_labels(labels: Tensor, target: Target, table: Table, splits: dict[str, Rows]) -> None:
    for split, rows in splits.items():
        if not labelled(labels[list(rows)]).any():
            raise ValueError(
                f"target {target.column!r} of {table.name} has no label in the {split} split "
                f"({int(labelled(labels).sum())} in all, {len(rows)} rows in the split): it needs more labels"
            )


def _require_classes(
    labels: Tensor,
    names: Sequence[str],
    target: Target,
    table: Table,
    splits: dict[str, Rows],
    everywhere: bool = False,
) -> None:
    """Raise unless the training split, or every split, has each class."""
    _require_labels(labels, target, table, splits)
    for split, rows in splits.items():
        for place, name in enumerate(names):
            if (everywhere or split == "train") and not (labels[list(rows)] == place).any():
                count = int((labels == place).sum())
                raise ValueError(
                    f"target {target.column!r} of {table.name} has no {name!r} in the {split} split ({count} in all): "
                    "it needs more such rows"
                )
