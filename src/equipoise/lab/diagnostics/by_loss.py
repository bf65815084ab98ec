"""The diagnostics of a task of which no more is known than its loss and its predictions."""

from collections.abc import Mapping

from torch import Tensor

from equipoise.lab.diagnostics.classification import (
    Decide,
    above_half,
    class_table,
    confusion,
    label_table,
    largest,
    level,
)
from equipoise.lab.diagnostics.cooccurrence import label_cooccurrence
from equipoise.lab.diagnostics.diagnostic import Diagnostic, Predictions
from equipoise.lab.metrics.defaults import kind_of
from equipoise.missing import labelled

LEVELS: Mapping[str, Decide] = {"cumulative levels": level("cumulative"), "conditional levels": level("conditional")}


def diagnostics_by_loss(predictions: Predictions) -> tuple[Diagnostic, ...]:
    """Confusion matrices and scores of each class and label, which are called by their numbers.

    Args:
        predictions: Whose tasks and outputs; of a task whose loss is of another kind nothing is shown.
    """
    return tuple(one for task in predictions.tasks.names for one in _of_task(task, predictions))


def _of_task(task: str, predictions: Predictions) -> list[Diagnostic]:
    kind, output, target = kind_of(predictions.tasks[task].loss), predictions.output(task), predictions.target(task)
    if kind in ("binary", "multilabel") and output.dim() > 1:
        labels = [str(place) for place in range(output.shape[1])]
        return [label_table([task], labels), *([label_cooccurrence([task], labels)] if len(labels) > 1 else [])]
    decision = {"binary": above_half, "multiclass": largest, **LEVELS}.get(kind or "")
    if decision is None:
        return []
    classes = [str(place) for place in range(_count(kind or "", output, target))]
    return [confusion(task, classes, decision), class_table(task, classes, decision)]


def _count(kind: str, output: Tensor, target: Tensor) -> int:
    if kind == "binary":
        return 2
    return output.shape[1] + (kind in LEVELS) if output.dim() > 1 else int(target[labelled(target)].max()) + 1
