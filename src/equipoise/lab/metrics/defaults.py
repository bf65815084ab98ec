"""Which metrics a task gets that names none: they follow from its loss."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as f

from equipoise.lab.metrics import labelled as read
from equipoise.lab.metrics.labelled import Reading
from equipoise.losses import BinaryFocalLoss, FocalLoss, binary_focal, focal

BY_KIND: Mapping[str, tuple[str, ...]] = {
    "binary": ("auroc", "average-precision"),
    "multi-class": ("accuracy", "f1-macro"),
    "multi-label": ("f1-macro", "average-precision"),
    "segmentation": ("miou", "accuracy"),
    "ordinal": ("level-mae", "quadratic-kappa"),
    "regression": ("rmse", "r2"),
    "absolute regression": ("mae", "rmse"),
    "depth": ("depth-abs-rel", "depth-rmse", "depth-delta1"),
    "normals": ("normals-mean", "normals-within-11.25"),
    "alignment": ("recall@1", "recall@5"),
    "sequence": ("bleu", "rouge-l"),
    "gan": ("frechet-distance", "generated-precision", "generated-recall"),
}

_KIND_OF: Mapping[Any, str] = {
    **dict.fromkeys((nn.CrossEntropyLoss, nn.NLLLoss, FocalLoss), "multi-class"),
    **dict.fromkeys((f.cross_entropy, f.nll_loss, focal), "multi-class"),
    **dict.fromkeys((nn.BCEWithLogitsLoss, BinaryFocalLoss), "binary"),
    **dict.fromkeys((f.binary_cross_entropy_with_logits, binary_focal), "binary"),
    **dict.fromkeys((nn.MultiLabelSoftMarginLoss, f.multilabel_soft_margin_loss), "multi-label"),
    **dict.fromkeys((nn.MSELoss, f.mse_loss), "regression"),
    **dict.fromkeys((nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss), "absolute regression"),
    **dict.fromkeys((f.l1_loss, f.smooth_l1_loss, f.huber_loss), "absolute regression"),
}

_READINGS: Mapping[str, Reading] = {
    "binary": read.binary,
    "multi-class": read.classes,
    "multi-label": read.labels,
}


def kind_of(loss: Callable[..., Tensor]) -> str | None:
    """What a task with this loss predicts, one of ``BY_KIND``; None for a loss that is not known here.

    >>> kind_of(nn.CrossEntropyLoss()), kind_of(f.huber_loss), kind_of(max)
    ('multi-class', 'absolute regression', None)
    """
    return next((_KIND_OF[key] for key in (loss, *type(loss).__mro__) if key in _KIND_OF), None)


def default_metrics(loss: Callable[..., Tensor]) -> tuple[str, ...]:
    """Names of the metrics of a task with this loss, the primary one first.

    Raises:
        ValueError: If nothing follows from the loss.

    >>> default_metrics(nn.MSELoss())
    ('rmse', 'r2')
    """
    kind = kind_of(loss)
    if kind is None:
        raise ValueError(
            f"no metric follows from the loss {loss!r}: name one, such as {BY_KIND['regression'][0]!r}, or take those "
            f"of a kind from BY_KIND: {', '.join(map(repr, BY_KIND))}"
        )
    return BY_KIND[kind]


def default_reading(loss: Callable[..., Tensor]) -> Reading:
    """How the outputs of a task with this loss are read for a torchmetrics metric; ``values`` where it is not known."""
    return _READINGS.get(kind_of(loss) or "", read.values)
