"""The one table of metrics: the name that a case uses -> the metric.

What torchmetrics has is torchmetrics'; what it lacks is in the files beside this one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import (
    AUROC,
    Accuracy,
    AveragePrecision,
    CalibrationError,
    ConfusionMatrix,
    F1Score,
    JaccardIndex,
    MulticlassCohenKappa,
    Precision,
    Recall,
)
from torchmetrics.regression import MeanAbsoluteError, MeanSquaredError, R2Score
from torchmetrics.text import BLEUScore, ROUGEScore

from equipoise.lab.metrics import labelled as read
from equipoise.lab.metrics.depth import DepthAbsoluteError, DepthDelta, DepthRelativeError, DepthRMSE
from equipoise.lab.metrics.detection import CentreMeanAveragePrecision, DenseIoU, MeanAveragePrecision
from equipoise.lab.metrics.labelled import Labelled, Reading
from equipoise.lab.metrics.metric_names import MetricName
from equipoise.lab.metrics.normals import NormalsMean, NormalsMedian, NormalsWithin
from equipoise.lab.metrics.ordinal import Form, LevelDistance, LevelsWithin, level_pairs
from equipoise.lab.metrics.retrieval import RetrievalRecallAt
from equipoise.missing import MISSING
from equipoise.names import nearest


class RougeF1(ROUGEScore):
    """The F1 of one ROUGE score, ``"rouge1"``, ``"rouge2"`` or ``"rougeL"``: these need no nltk.

    torchmetrics gives precision, recall and F1 in a dictionary.
    """

    def __init__(self, key: str, **options: Any) -> None:
        super().__init__(rouge_keys=key, **options)
        self.key = key

    def compute(self) -> Tensor:  # type: ignore[override]
        """F1, a scalar from 0 to 1."""
        return super().compute()[f"{self.key}_fmeasure"]


@dataclass(frozen=True)
class _Entry:
    make: Callable[..., Metric]
    reading: Reading | Mapping[str, Reading]  # where it depends on the form of the labels: by torchmetrics' ``task``
    defaults: Mapping[str, Any]

    @property
    def takes_size(self) -> bool:
        return isinstance(self.reading, Mapping) or self.make is MulticlassCohenKappa

    def reads(self, form: str) -> bool:
        """Whether it takes labels of this form."""
        return isinstance(self.reading, Mapping) and form in self.reading

    def __call__(self, options: Mapping[str, Any]) -> tuple[Metric, Reading]:
        options = {**self.defaults, **options}
        if not isinstance(self.reading, Mapping):
            return self.make(**options), self.reading
        form = _form(options)
        skipped = {"ignore_index": MISSING} if form == "multilabel" else {}
        return self.make(task=form, **skipped, **options), self.reading[form]


def _form(options: Mapping[str, Any]) -> str:
    return "multiclass" if "num_classes" in options else "multilabel" if "num_labels" in options else "binary"


_SAYS = {
    "binary": "labels 0 or 1",
    "multiclass": "one of several classes (num_classes)",
    "multilabel": "several labels at once (num_labels)",
}
_DECIDED: Mapping[str, Reading] = {"binary": read.binary, "multiclass": read.classes, "multilabel": read.labels}
_RANKED: Mapping[str, Reading] = {
    "binary": read.ranking,
    "multiclass": read.class_probabilities,
    "multilabel": read.label_ranking,
}
_ONE = ("binary",)
_SEVERAL = ("multiclass", "multilabel")


def _entry(make: Callable[..., Metric], reading: Reading | Mapping[str, Reading], **defaults: Any) -> _Entry:
    return _Entry(make, reading, defaults)


def _of(forms: tuple[str, ...], readings: Mapping[str, Reading]) -> Mapping[str, Reading]:
    return {form: readings[form] for form in forms}


def _levels(name: str, make: Callable[..., Metric], **defaults: Any) -> Mapping[str, _Entry]:
    """One for each form of outputs, which the end of its name states."""
    return {
        name if form == "levels" else f"{name}-{form}": _entry(make, partial(level_pairs, form=form), **defaults)
        for form in get_args(Form)
    }


_COUNTED = {"precision": Precision, "recall": Recall, "f1": F1Score}
_AVERAGES = ("micro", "macro", "weighted", "none")  # "none": one value for each class or label

TABLE: Mapping[str, _Entry] = {
    # labels; num_classes or num_labels choose the kind
    "accuracy": _entry(Accuracy, _DECIDED, average="micro"),
    **{name: _entry(make, _of(_ONE, _DECIDED)) for name, make in _COUNTED.items()},
    **{
        f"{name}-{average}": _entry(make, _of(_SEVERAL, _DECIDED), average=average)
        for name, make in _COUNTED.items()
        for average in _AVERAGES
    },
    "accuracy-none": _entry(Accuracy, _of(_SEVERAL, _DECIDED), average="none"),
    "auroc": _entry(AUROC, _RANKED),
    "auroc-none": _entry(AUROC, _of(_SEVERAL, _RANKED), average="none"),
    "average-precision": _entry(AveragePrecision, _RANKED),
    "average-precision-none": _entry(AveragePrecision, _of(_SEVERAL, _RANKED), average="none"),
    "confusion-matrix": _entry(ConfusionMatrix, _DECIDED),
    "iou": _entry(JaccardIndex, _of(_ONE, _DECIDED)),
    "iou-none": _entry(JaccardIndex, _of(_SEVERAL, _DECIDED), average="none"),
    "miou": _entry(JaccardIndex, _of(_SEVERAL, _DECIDED), average="macro"),
    "calibration-error": _entry(
        CalibrationError, {"binary": read.binary, "multiclass": read.class_probabilities}, n_bins=15, norm="l1"
    ),
    # numbers, over all elements
    "mse": _entry(MeanSquaredError, read.values),
    "rmse": _entry(MeanSquaredError, read.values, squared=False),
    "mae": _entry(MeanAbsoluteError, read.values),
    "r2": _entry(R2Score, read.values),
    # levels
    **_levels("level-mae", LevelDistance),
    **_levels("within-one-level", LevelsWithin, distance=1),
    **_levels("quadratic-kappa", MulticlassCohenKappa, weights="quadratic"),
    # depth and normals
    "depth-mae": _entry(DepthAbsoluteError, read.whole),
    "depth-abs-rel": _entry(DepthRelativeError, read.whole),
    "depth-rmse": _entry(DepthRMSE, read.whole),
    **{f"depth-delta{power}": _entry(DepthDelta, read.whole, power=power) for power in (1, 2, 3)},
    "normals-mean": _entry(NormalsMean, read.whole),
    "normals-median": _entry(NormalsMedian, read.whole),
    **{f"normals-within-{d}": _entry(NormalsWithin, read.whole, degrees=d) for d in (11.25, 22.5, 30)},
    # objects
    "map@0.5": _entry(MeanAveragePrecision, read.whole, overlap=0.5),
    "map@0.75": _entry(MeanAveragePrecision, read.whole, overlap=0.75),
    "centre-map": _entry(CentreMeanAveragePrecision, read.whole),
    "box-iou": _entry(DenseIoU, read.whole),
    # texts
    "bleu": _entry(BLEUScore, read.texts),
    **{f"rouge-{key}": _entry(RougeF1, read.texts, key=f"rouge{key.upper()}") for key in ("1", "2", "l")},
    # alignment: outputs are similarities
    **{f"recall@{k}": _entry(RetrievalRecallAt, read.queries, k=k) for k in (1, 5, 10)},
    "recall@k": _entry(RetrievalRecallAt, read.queries),
}


def metric(
    name: MetricName | str,
    *,
    missing: int = MISSING,
    num_classes: int | None = None,
    num_labels: int | None = None,
    **options: Any,
) -> Labelled:
    """The metric of that name, to be updated with a network's outputs and a batch's targets.

    Args:
        name: One of ``metric_names()``.
        missing: The integer target of a missing label; in a float target it is NaN.
        num_classes: Of a metric of labels: one of several classes, outputs [N, C, ...].
        num_labels: Of a metric of labels: several labels at once, outputs [N, L, ...]; without either, labels are 0 or
            1. What ends in ``-none`` gives a value for each class or label, [C] or [L].
        options: Further ones of the class behind the name.

    Raises:
        ValueError: If there is no such name, or the options do not fit it.

    >>> import torch
    >>> accuracy = metric("accuracy", num_classes=3)
    >>> accuracy.update(torch.eye(3), torch.tensor([0, 1, -100]))
    >>> accuracy.update(torch.eye(3)[:1], torch.tensor([2]))
    >>> accuracy.compute(), accuracy.perfect
    (tensor(0.6667, dtype=torch.float64), 1.0)
    """
    if name not in TABLE:
        raise ValueError(f"no metric {name!r}; {nearest(name, TABLE)}")
    sizes = {"num_classes": num_classes, "num_labels": num_labels}
    options |= {size: count for size, count in sizes.items() if count is not None}
    form, entry = _form(options), TABLE[name]
    if isinstance(entry.reading, Mapping) and not entry.reads(form):
        others = [other for other in TABLE if TABLE[other].reads(form) and name.partition("-")[0] in other]
        instead = f"; for {_SAYS[form]}: {', '.join(map(repr, others))}" if others else f", not for {_SAYS[form]}"
        raise ValueError(f"metric {name!r} is for {' or '.join(_SAYS[one] for one in entry.reading)}{instead}")
    try:
        made, reading = entry(options)
    except (TypeError, ValueError) as error:
        raise ValueError(f"metric {name!r}: {error}") from None
    return Labelled(made.set_dtype(torch.float64), reading, name, missing)


def higher_is_better(name: MetricName | str) -> bool | None:
    """Whether more is better in the metric of that name; None for a name that is not in the table, or for no scale.

    >>> higher_is_better("rmse"), higher_is_better("f1-macro"), higher_is_better("my-own")
    (False, True, None)
    """
    for size in ({}, {"num_classes": 2}, {"num_labels": 2}):
        try:
            return metric(name, **size).higher_is_better
        except ValueError:  # not of this form of labels
            continue
    return None


def takes_size(name: str) -> bool:
    """Whether the metric of that name takes ``num_classes`` or ``num_labels``."""
    return name in TABLE and TABLE[name].takes_size


def metric_names() -> tuple[str, ...]:
    """All names, in the order of the table."""
    return tuple(TABLE)
