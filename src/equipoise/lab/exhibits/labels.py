"""How well each of many labels is found."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torchmetrics.functional.classification import multilabel_stat_scores

from equipoise.lab.exhibits.confusion import scores_table
from equipoise.lab.exhibits.exhibit import Exhibit, Seen
from equipoise.lab.exhibits.result import Table
from equipoise.lab.metrics.labelled import MISSING

Thresholds = Callable[[Tensor, Tensor], Tensor]  # logits and labels [N, L] -> thresholds of the logits [L]


def even(logits: Tensor, labels: Tensor) -> Tensor:
    """0 for every label: where the probability is 1/2."""
    return torch.zeros(logits.shape[1], dtype=torch.float64)


def label_table(task: str, labels: Sequence[str], thresholds: Thresholds = even) -> Exhibit:
    """Precision, recall, F1 and support of every label of a multi-label task.

    Args:
        task: Whose outputs, logits [N, L].
        labels: Names of the labels, in order.
        thresholds: Above which a label is said.
    """

    def show(seen: Seen) -> Table:
        _, logits, target = seen.labelled(task)
        said = said_labels(logits, target, thresholds)
        scores = multilabel_stat_scores(
            said, target.long(), num_labels=len(labels), average="none", ignore_index=MISSING
        )
        note = "Support is the number of samples that have the label."
        if thresholds is not even:
            note += " The thresholds are those chosen on these same samples, so test is a little worse."
        return scores_table(task, labels, scores, note)

    return Exhibit(f"{task}-labels", f"{task}: how well each label is found", (task,), show)


def said_labels(logits: Tensor, target: Tensor, thresholds: Thresholds) -> Tensor:
    """1 where a label is said [N, L], int64."""
    return (logits.double() > thresholds(logits, target)).long()
