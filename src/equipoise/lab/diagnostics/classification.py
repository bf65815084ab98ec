"""Confusion matrices, scores of classes and labels, label co-occurrence, and which of them a task's loss calls for."""

from collections.abc import Callable, Mapping, Sequence
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
from equipoise.lab.metrics.defaults import is_per_token, kind_of
from equipoise.lab.metrics.labelled import binary, classes, tokens
from equipoise.lab.metrics.ordinal import Form, level_pairs
from equipoise.missing import MISSING, labelled

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
        note = f"Each row: the {what} of one true class, the share predicted as each class, and how many. The "
        return _by_true_class(tuple(classes), counts, f"{note}diagonal is correct.")

    return Diagnostic(f"{task}-confusion", f"{task}: confusion matrix", (task,), show)


def _by_true_class(classes: tuple[str, ...], counts: Sequence[Sequence[int]], note: str) -> Matrix:
    shares = tuple(tuple(n / sum(row) if sum(row) else None for n in row) for row in counts)
    return Matrix(classes, classes, "true", "predicted", shares, tuple(map(tuple, counts)), note)


def sum_of_confusions(matrices: Sequence[Matrix]) -> Matrix | None:
    """The confusion matrix of all samples of several, such as of one method's runs; None where one is no such matrix.

    Args:
        matrices: As ``confusion`` shows them, at least one.
    """
    classes, note = matrices[0].rows, matrices[0].note
    if any(not one.counts or one != _by_true_class(classes, one.counts, note) for one in matrices):
        return None
    counts = torch.tensor([one.counts for one in matrices]).sum(dim=0).tolist()
    return _by_true_class(classes, counts, f"{note} Summed over {len(matrices)} seeds.")


def class_table(task: str, classes: Sequence[str], decision: Decide, what: str = "samples") -> Diagnostic:
    """Precision, recall, F1 and support of every class; arguments as in ``confusion``."""

    def show(predictions: Predictions) -> ScoreTable:
        predicted, true = _pairs(predictions, task, decision)
        scores = multiclass_stat_scores(predicted, true, num_classes=len(classes), average="none")
        return scores_table(task, classes, scores, f"Support is the number of {what} of the class.")

    return Diagnostic(f"{task}-classes", f"{task}: precision, recall and F1 per class", (task,), show)


def region_table(task: str, regions: Sequence[str]) -> Diagnostic:
    """IoU, precision, recall and pixels of every region of a mask; the mean of the IoU is the metric "miou".

    Args:
        task: Whose outputs.
        regions: Names of the classes of a pixel, in the order of their numbers.
    """

    def show(predictions: Predictions) -> ScoreTable:
        predicted, true = _pairs(predictions, task, largest)
        scores = multiclass_stat_scores(predicted, true, num_classes=len(regions), average="none").tolist()
        rows = tuple(
            (
                name,
                _ratio(hits, hits + false_alarms + misses),
                _ratio(hits, hits + false_alarms),
                _ratio(hits, hits + misses),
                pixels,
            )
            for name, (hits, false_alarms, _, misses, pixels) in zip(regions, scores, strict=True)
        )
        note = "IoU: the pixels of a region that are predicted to be of it, of all that are of it or predicted to be."
        return ScoreTable((task, "IoU", "precision", "recall", "pixels"), rows, f"{note} A dash: nothing to divide by.")

    return Diagnostic(f"{task}-classes", f"{task}: IoU, precision and recall per region", (task,), show)


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
    if is_per_token(predictions.tasks[task].loss):
        decision = partial(tokens, reading=decision)
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


def label_cooccurrence(tasks: Sequence[str], labels: Sequence[str]) -> Diagnostic:
    """P(column | row) of true labels, among samples for which both are known.

    Args:
        tasks: Binary tasks [N] and multilabel tasks [N, L], whose labels follow one another.
        labels: Names of all of these labels.
    """

    def show(predictions: Predictions) -> Matrix:
        return _given(torch.cat([_columns(predictions.target(t)) for t in tasks], dim=1), labels)

    return Diagnostic("label-cooccurrence", "Label co-occurrence", tuple(tasks), show)


def predicted_cooccurrence(tasks: Sequence[str], labels: Sequence[str], thresholds: Thresholds = even) -> Diagnostic:
    """P(column | row) of predicted labels, on the same samples as ``label_cooccurrence``; arguments as there."""

    def show(predictions: Predictions) -> Matrix:
        columns = []
        for task in tasks:
            target = _columns(predictions.target(task))
            predicted = predicted_labels(_columns(predictions.output(task)), target, thresholds)
            columns.append(predicted.double().masked_fill(target.isnan(), torch.nan))
        return _given(torch.cat(columns, dim=1), labels)

    return Diagnostic("predicted-cooccurrence", "Predicted label co-occurrence", tuple(tasks), show)


def labelled_together(tasks: Sequence[str]) -> Diagnostic:
    """P(a sample has a label of the column's task | it has one of the row's)."""

    def show(predictions: Predictions) -> Matrix:
        there = torch.zeros(len(next(iter(predictions.targets.values()))), len(tasks), dtype=torch.float64)
        for column, task in enumerate(tasks):
            there[predictions.labelled(task)[0], column] = 1.0
        matrix = _given(there, tasks)
        note = (
            "Each row: of the samples with a label of this task, the share that also has one of the column's task, "
            "and how many. Where few samples are shared, cosines between the tasks' gradients say little."
        )
        return Matrix(matrix.rows, matrix.columns, "labelled for", "also for", matrix.shares, matrix.counts, note)

    return Diagnostic("labelled-together", "Samples shared by tasks", tuple(tasks), show)


def _columns(values: Tensor) -> Tensor:
    """[N] or [N, L] -> [N, L], float64."""
    return values.double().reshape(len(values), -1)


def _given(there: Tensor, names: Sequence[str]) -> Matrix:
    """P(column | row) of labels 0 or 1 [N, L], NaN where unknown."""
    known = (~there.isnan()).double()
    ones = there.nan_to_num(0.0)
    both = ones.T @ ones
    of = ones.T @ known  # the row's label is there, the column's is known
    counts = tuple(tuple(map(int, row)) for row in both.long().tolist())
    return Matrix(
        rows=tuple(names),
        columns=tuple(names),
        row_title="given",
        column_title="also",
        shares=tuple(
            tuple(b / o if o else None for b, o in zip(*pair, strict=True))
            for pair in zip(both.tolist(), of.tolist(), strict=True)
        ),
        counts=counts,
        note="Each row: of the samples with this label, the share that also has the column's, and how many.",
    )


def diagnostics_by_loss(predictions: Predictions) -> tuple[Diagnostic, ...]:
    """Confusion matrices and scores of each class and label, which are called by their numbers.

    Args:
        predictions: Whose tasks and outputs; of a task whose loss is of another kind nothing is shown.
    """
    return tuple(one for task in predictions.tasks.names for one in _of_task(task, predictions))


LEVELS: Mapping[str, Decide] = {"cumulative levels": level("cumulative"), "conditional levels": level("conditional")}


def _of_task(task: str, predictions: Predictions) -> list[Diagnostic]:
    loss, output, target = predictions.tasks[task].loss, predictions.output(task), predictions.target(task)
    kind = kind_of(loss)
    if is_per_token(loss):
        kind, output, target = kind if kind == "multiclass" else None, output.flatten(0, 1), target.flatten(0, 1)
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
