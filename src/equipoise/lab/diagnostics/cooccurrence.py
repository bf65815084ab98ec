"""Label co-occurrence: in the data, and in the predictions."""

from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.lab.diagnostics.classification import Thresholds, even, predicted_labels
from equipoise.lab.diagnostics.diagnostic import Diagnostic, Matrix, Predictions


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
