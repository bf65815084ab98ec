"""Which labels come together: what is true of the data, and what the network makes of it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.lab.exhibits.exhibit import Exhibit, Seen
from equipoise.lab.exhibits.labels import Thresholds, even, said_labels
from equipoise.lab.exhibits.result import Matrix


def label_overlap(tasks: Sequence[str], labels: Sequence[str]) -> Exhibit:
    """P(column | row) of true labels, among samples for which both are known.

    Args:
        tasks: Binary tasks [N] and multi-label tasks [N, L], whose labels follow one another.
        labels: Names of all of these labels.
    """

    def show(seen: Seen) -> Matrix:
        return _given(torch.cat([_columns(seen.targets[str(seen.tasks[t].target)]) for t in tasks], dim=1), labels)

    return Exhibit("label-overlap", "Which labels come together", tuple(tasks), show)


def said_overlap(tasks: Sequence[str], labels: Sequence[str], thresholds: Thresholds = even) -> Exhibit:
    """P(column | row) of what the network says, on the same samples as ``label_overlap``; arguments as there."""

    def show(seen: Seen) -> Matrix:
        columns = []
        for task in tasks:
            target = _columns(seen.targets[str(seen.tasks[task].target)])
            said = said_labels(_columns(seen.outputs[str(seen.tasks[task].output)]), target, thresholds)
            columns.append(said.double().masked_fill(target.isnan(), torch.nan))
        return _given(torch.cat(columns, dim=1), labels)

    return Exhibit("said-overlap", "Which labels the network says together", tuple(tasks), show)


def labelled_together(tasks: Sequence[str]) -> Exhibit:
    """P(a sample has a label of the column's task | it has one of the row's)."""

    def show(seen: Seen) -> Matrix:
        there = torch.zeros(len(next(iter(seen.targets.values()))), len(tasks), dtype=torch.float64)
        for column, task in enumerate(tasks):
            there[seen.labelled(task)[0], column] = 1.0
        matrix = _given(there, tasks)
        note = (
            "Each row: of the samples with a label of this task, the share that also has one of the column's task, "
            "and how many. Where few samples are shared, cosines between the tasks' gradients say little."
        )
        return Matrix(matrix.rows, matrix.columns, "labelled for", "also for", matrix.shares, matrix.counts, note)

    return Exhibit("labelled-together", "Which tasks share samples", tuple(tasks), show)


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
