"""A column as a task: its labels, losses, head, metrics and diagnostics, by its kind."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from equipoise.lab.cases.metrics import Metric, Named, make_metrics, tuned_f1
from equipoise.lab.cases.usual_losses import Losses, binary_losses, counted_class_losses, label_losses, number_losses
from equipoise.lab.data.cells import NothingToLearnError, binary, classes, label_sets, levels, numbers
from equipoise.lab.data.columns import Target
from equipoise.lab.data.features import standardised
from equipoise.lab.data.table import Table
from equipoise.lab.data.values import may_be_missing
from equipoise.lab.diagnostics import (
    Decide,
    Diagnostic,
    Words,
    above_half,
    class_table,
    class_words,
    confusion,
    label_cooccurrence,
    label_table,
    label_words,
    largest,
    level,
    number_words,
)
from equipoise.lab.metrics.thresholds import best_thresholds
from equipoise.lab.models.heads import scalar_head
from equipoise.losses import CornLoss
from equipoise.missing import MISSING, labelled
from equipoise.task import Task
from equipoise.tasks import Tasks

Rows = Sequence[int]
Splits = Mapping[str, Rows]  # by name
SplitRows = Mapping[str, Tensor]  # the same, as int64


@dataclass(frozen=True)
class LabelledTarget:
    """What a target brings to a case.

    Args:
        task: By the column's name, with the first of the losses.
        losses: By name, the losses that the task can have.
        labels: Of all rows [N, ...], as the loss takes them.
        make_head: The encoder's width -> the task's head.
        metrics: The primary one first.
        words: A row's label and prediction in words.
        diagnostics: Of this target alone.
    """

    task: Task
    losses: Losses
    labels: Tensor
    make_head: Callable[[int], nn.Module]
    metrics: tuple[Metric, ...]
    words: Words
    diagnostics: tuple[Diagnostic, ...]


class LevelLoss(CornLoss):
    """CORN, as in ``equipoise.losses``, where -100 is a missing level."""

    ignore_index = MISSING


def make_targets(
    targets: Sequence[Target], table: Table, splits: Splits
) -> tuple[dict[str, LabelledTarget], dict[str, str]]:
    """What each target brings, by column, and why there is nothing to learn from others.

    Raises:
        ValueError: If a cell is not of the target's kind.
    """
    made, useless = {}, {}
    rows = {split: torch.tensor(list(places)) for split, places in splits.items()}
    for target in targets:
        try:
            made[target.column] = make_target(target, table, rows)
        except NothingToLearnError as error:
            useless[target.column] = str(error)
    return made, useless


def require_known_cells(target: Target, table: Table, missing: Sequence[str]) -> None:
    """Raise a ValueError if a class or a label of a target may as well mean that there is none.

    Args:
        target: The column and its kind.
        table: Where cells that are known to be missing are empty.
        missing: The words that are known to mean this.
    """
    cells = table.cells(target.column)
    words = [word for word in dict.fromkeys(cells) if may_be_missing(word) and word not in target.order]
    if words and target.kind != "regression":
        word, given = words[0], ",".join([*missing, words[0]])
        label = ",".join([*missing, ""])
        raise ValueError(
            f"{table.place(cells.index(word), target.column)}: is {word!r} a {target.kind} label or a missing one "
            f"({cells.count(word)} rows)? For missing say --missing {given}, for a label --missing '{label}' (in a "
            f"study.yaml missing: '{given}' or missing: '{label}')"
        )


def make_target(target: Target, table: Table, splits: SplitRows) -> LabelledTarget:
    """The labels in a column, and what follows from their kind.

    Args:
        target: The column and its kind.
        table: The table.
        splits: The rows of "train", "validation" and "test".

    Raises:
        ValueError: If a cell is not of the kind; ``NothingToLearnError`` if a split lacks labels.
    """
    if target.kind == "regression":
        return _of_numbers(target, table, splits)
    if target.kind == "multilabel":
        return _of_label_sets(target, table, splits)
    return _of_classes(target, table, splits)


def _of_numbers(target: Target, table: Table, splits: SplitRows) -> LabelledTarget:
    """Numbers, standardised on the training rows, and judged and shown in the column's own unit."""
    column = target.column
    values = numbers(table, column)
    _require_labels(values, target, table, splits)
    scaled, mean, deviation = standardised(table, column, splits["train"], f"target {column!r} of {table.name}")

    def in_unit(metric: Metric) -> Metric:
        def compute(outputs: Tensor, targets: Tensor) -> float:
            return metric.compute(outputs.double() * deviation + mean, targets.double() * deviation + mean)

        return replace(metric, compute=compute)

    losses = number_losses()
    task = _task(column, losses)
    metrics = tuple(map(in_unit, _metrics(task, values, splits)))
    words = number_words(column, deviation, mean)
    return LabelledTarget(task, losses, scaled.float(), scalar_head, metrics, words, ())


def _of_classes(target: Target, table: Table, splits: SplitRows) -> LabelledTarget:
    """One class of two or of several, or one level of an order."""
    column, train = target.column, splits["train"]
    names: Sequence[str]
    losses: Losses
    decide: Decide
    head: Callable[[int], nn.Module]
    size: dict[str, int] = {}
    if target.kind == "binary":
        labels, names = binary(table, column)
        losses, head, decide = binary_losses(labels[train]), scalar_head, above_half
    elif target.kind == "multiclass":
        labels, names = classes(table, column)
        losses, decide = counted_class_losses(labels[train], len(names)), largest
        head = partial(nn.Linear, out_features=len(names))
        size = {"num_classes": len(names)}
    else:
        labels, names = levels(table, column, target.order)
        losses, decide = {"corn": LevelLoss}, level("conditional")
        head = partial(nn.Linear, out_features=len(names) - 1)
    _require_classes(labels, names, target, table, splits)
    task = _task(column, losses)
    metrics = _metrics(task, labels, splits, size=size)
    diagnostics = (confusion(column, names, decide, "rows"), class_table(column, names, decide, "rows"))
    return LabelledTarget(task, losses, labels, head, metrics, class_words(column, names, decide), diagnostics)


def _of_label_sets(target: Target, table: Table, splits: SplitRows) -> LabelledTarget:
    """Any of several labels, each predicted above a threshold of its own, as some losses shift all logits."""
    column = target.column
    labels, names = label_sets(table, column)
    _require_labels(labels[:, 0], target, table, splits)
    losses = label_losses(labels[splits["train"]])
    task = _task(column, losses)
    validation = labels[splits["validation"]]
    f1 = tuned_f1(validation[labelled(validation[:, 0])], ["macro"])
    metrics = _metrics(task, labels, splits, (*f1, "average-precision"), {"num_labels": len(names)})
    head = partial(nn.Linear, out_features=len(names))
    words = label_words(column, names, best_thresholds)
    diagnostics = (label_table([column], names, best_thresholds), label_cooccurrence([column], names))
    return LabelledTarget(task, losses, labels, head, metrics, words, diagnostics)


def _task(column: str, losses: Losses) -> Task:
    """With the first loss."""
    return Task(column, next(iter(losses.values()))())


def _metrics(
    task: Task, labels: Tensor, splits: SplitRows, chosen: Sequence[Named] = (), size: Mapping[str, int] | None = None
) -> tuple[Metric, ...]:
    """The metrics that are chosen; those that follow from the loss where none is."""
    train, validation = ({task.name: labels[splits[split]]} for split in ("train", "validation"))
    sizes = {task.name: size} if size else {}
    named = {task.name: chosen} if chosen else {}
    return make_metrics(Tasks([task]), train, validation, named, sizes)[task.name]


def _require_labels(labels: Tensor, target: Target, table: Table, splits: SplitRows) -> None:
    """Raise unless every split has a label."""
    for split, rows in splits.items():
        if not labelled(labels[rows]).any():
            raise NothingToLearnError(
                f"target {target.column!r} of {table.name} has no label in the {split} split "
                f"({int(labelled(labels).sum())} in all, {len(rows)} rows in the split): it needs more labels"
            )


def _require_classes(labels: Tensor, names: Sequence[str], target: Target, table: Table, splits: SplitRows) -> None:
    """Raise unless the training split has each class and, where they are two, every split: AUROC needs both."""
    _require_labels(labels, target, table, splits)
    judged = splits if target.kind == "binary" else ("train",)
    for split in judged:
        for place, name in enumerate(names):
            if not (labels[splits[split]] == place).any():
                count = int((labels == place).sum())
                raise NothingToLearnError(
                    f"target {target.column!r} of {table.name} has no {name!r} in the {split} split ({count} in all): "
                    "it needs more such rows"
                )
