"""Confusion matrices, and precision, recall and F1 of classes and labels."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torchmetrics.functional.classification import (
    binary_stat_scores,
    multiclass_confusion_matrix,
    multiclass_stat_scores,
    multilabel_stat_scores,
)

from equipoise.lab.diagnostics.diagnostic import Diagnostic, Matrix, Predictions, ScoreTable
from equipoise.lab.metrics.labelled import binary, classes
from equipoise.lab.metrics.ordinal import Form, level_pairs
from equipoise.missing import MISSING

SCORES = ("precision", "recall", "F1", "support")
# (outputs, targets, missing) -> (predicted, true) classes [M], int64, where there is a label: a float target that is
# not NaN, an integer one that is not ``missing``
Decide = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]
Thresholds = Callable[[Tensor, Tensor], Tensor]  # logits and labels [N, L] -> thresholds of the logits [L]


def largest(outputs: Tensor, targets: Tensor, missing: int = MISSING) -> tuple[Tensor, Tensor]:
    """Of logits [N, C, ...] the largest, beside classes [N, ...]: samples, or the pixels of masks."""
    logits, true = classes(outputs, targets, missing)
    return logits.argmax(dim=-1), true


def above_half(outputs: Tensor, targets: Tensor, missing: int = MISSING) -> tuple[Tensor, Tensor]:
    """1 where the probability behind a logit [N] is above 1/2, beside labels 0 or 1 [N]."""
    probabilities, true = binary(outputs, targets, missing)
    return (probabilities > 0.5).long(), true


def level(form: Form) -> Decide:
    """The level, of outputs as ``equipoise.lab.metrics.ordinal.to_levels`` takes them."""
    return partial(level_pairs, form=form)


def confusion(task: str, classes: Sequence[str], decision: Decide, what: str = "samples") -> Diagnostic:
    """Confusion matrix: rows are true classes, columns predicted ones; shares of the row.

    Args:
        task: Whose outputs.
        classes: Names of the classes, in the order of their numbers.
        decision: From outputs to classes.
        what: What is counted, in words.
    """

    def show(predictions: Predictions) -> Matrix:
        predicted, true = _pairs(predictions, task, decision)
        counts = multiclass_confusion_matrix(predicted, true, num_classes=len(classes)).tolist()
        return Matrix(
            rows=tuple(classes),
            columns=tuple(classes),
            row_title="true",
            column_title="predicted",
            shares=tuple(tuple(n / sum(row) if sum(row) else None for n in row) for row in counts),
            counts=tuple(map(tuple, counts)),
            note=f"Each row: the {what} of one true class, the share predicted as each class, and how many. The "
            "diagonal is correct.",
        )

    return Diagnostic(f"{task}-confusion", f"{task}: confusion matrix", (task,), show)


def class_table(task: str, classes: Sequence[str], decision: Decide, what: str = "samples") -> Diagnostic:
    """Precision, recall, F1 and support of every class; arguments as in ``confusion``."""

    def show(predictions: Predictions) -> ScoreTable:
        predicted, true = _pairs(predictions, task, decision)
        scores = multiclass_stat_scores(predicted, true, num_classes=len(classes), average="none")
        return scores_table(task, classes, scores, f"Support is the number of {what} of the class.")

    return Diagnostic(f"{task}-classes", f"{task}: precision, recall and F1 per class", (task,), show)


def scores_table(task: str, names: Sequence[str], scores: Tensor, note: str) -> ScoreTable:
    """From true and false positives, true and false negatives, and support [L, 5], as torchmetrics counts them."""
    rows = []
    for name, (hits, false_alarms, _, misses, support) in zip(names, scores.tolist(), strict=True):
        ratios = (
            _ratio(hits, hits + false_alarms),
            _ratio(hits, hits + misses),
            _ratio(2 * hits, 2 * hits + false_alarms + misses),
        )
        rows.append((name, *ratios, support))
    return ScoreTable((task, *SCORES), tuple(rows), f"{note} A dash: nothing to divide by.")


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _pairs(predictions: Predictions, task: str, decision: Decide) -> tuple[Tensor, Tensor]:
    _, output, target = predictions.labelled(task)
    missing = predictions.tasks[task].ignored_class
    return decision(output, target, MISSING if missing is None else missing)


def even(logits: Tensor, labels: Tensor) -> Tensor:
    """0 for every label: where the probability is 1/2."""
    return torch.zeros(logits.shape[1], dtype=torch.float64)


def label_table(tasks: Sequence[str], labels: Sequence[str], thresholds: Thresholds = even) -> Diagnostic:
    """Precision, recall, F1 and support of every label.

    Args:
        tasks: Multilabel tasks with logits [N, L] and binary ones with logits [N], whose labels follow one another.
        labels: Names of all of these labels.
        thresholds: Above which a label is predicted.
    """

    def show(predictions: Predictions) -> ScoreTable:
        scores = torch.cat([_scores(*predictions.labelled(task)[1:], thresholds) for task in tasks])
        note = "Support is the number of samples that have the label."
        if thresholds is not even:
            note += " The thresholds are those chosen on these same samples, so test is a little worse."
        return scores_table("label", labels, scores, note)

    return Diagnostic(
        f"{'-'.join(tasks)}-labels", f"{', '.join(tasks)}: precision, recall and F1 per label", tuple(tasks), show
    )


def _scores(logits: Tensor, target: Tensor, thresholds: Thresholds) -> Tensor:
    """True and false positives, true and false negatives, and support [L, 5]."""
    logits, target = (values.reshape(len(values), -1) for values in (logits, target))
    predicted = predicted_labels(logits, target, thresholds)
    if target.shape[1] == 1:
        return binary_stat_scores(predicted, target.long())[None]
    return multilabel_stat_scores(predicted, target.long(), num_labels=target.shape[1], average="none")


def predicted_labels(logits: Tensor, target: Tensor, thresholds: Thresholds) -> Tensor:
    """1 where a label is predicted [N, L], int64."""
    return (logits.double() > thresholds(logits, target)).long()
