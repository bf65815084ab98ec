"""How well each of many labels is found."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_stat_scores, multilabel_stat_scores

from equipoise.lab.exhibits.confusion import scores_table
from equipoise.lab.exhibits.exhibit import Exhibit, Seen
from equipoise.lab.exhibits.result import Table

Thresholds = Callable[[Tensor, Tensor], Tensor]  # logits and labels [N, L] -> thresholds of the logits [L]


def even(logits: Tensor, labels: Tensor) -> Tensor:
    """0 for every label: where the probability is 1/2."""
    return torch.zeros(logits.shape[1], dtype=torch.float64)


def label_table(tasks: Sequence[str], labels: Sequence[str], thresholds: Thresholds = even) -> Exhibit:
    """Precision, recall, F1 and support of every label.

    Args:
        tasks: Multi-label tasks with logits [N, L] and binary ones with logits [N], whose labels follow one another.
        labels: Names of all of these labels.
        thresholds: Above which a label is said.
    """

    def show(seen: Seen) -> Table:
        scores = torch.cat([_scores(*seen.labelled(task)[1:], thresholds) for task in tasks])
        note = "Support is the number of samples that have the label."
        if thresholds is not even:
            note += " The thresholds are those chosen on these same samples, so test is a little worse."
        return scores_table("label", labels, scores, note)

    return Exhibit(f"{'-'.join(tasks)}-labels", f"{', '.join(tasks)}: how well each label is found", tuple(tasks), show)


def _scores(logits: Tensor, target: Tensor, thresholds: Thresholds) -> Tensor:
    """True and false positives, true and false negatives, and support [L, 5]."""
    logits, target = (values.reshape(len(values), -1) for values in (logits, target))
    said = said_labels(logits, target, thresholds)
    if target.shape[1] == 1:
        return binary_stat_scores(said, target.long())[None]
    return multilabel_stat_scores(said, target.long(), num_labels=target.shape[1], average="none")


def said_labels(logits: Tensor, target: Tensor, thresholds: Thresholds) -> Tensor:
    """1 where a label is said [N, L], int64."""
    return (logits.double() > thresholds(logits, target)).long()
