"""Which metrics a task gets that names none: they follow from its loss."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as f

from equipoise import losses
from equipoise.lab.metrics import labelled as read
from equipoise.lab.metrics.labelled import Reading

BY_KIND: Mapping[str, tuple[str, ...]] = {
    "binary": ("auroc", "average-precision"),
    "multiclass": ("accuracy", "f1-macro"),
    "multilabel": ("f1-macro", "average-precision"),
    "segmentation": ("miou", "accuracy"),
    "ordinal": ("level-mae", "within-one-level"),
    "cumulative levels": ("level-mae-cumulative", "within-one-level-cumulative"),
    "conditional levels": ("level-mae-conditional", "within-one-level-conditional"),
    "regression": ("rmse", "r2"),
    "absolute regression": ("mae", "rmse"),
    "depth": ("depth-abs-rel", "depth-rmse", "depth-delta1"),
    "normals": ("normals-mean", "normals-within-11.25"),
    "alignment": ("recall@1", "recall@5"),
    "sequence": ("bleu", "rouge-l"),
}

_LOSSES: Mapping[str, Sequence[Callable[..., Any]]] = {  # modules; of torch's, their functions too
    "binary": (
        nn.BCEWithLogitsLoss,
        f.binary_cross_entropy_with_logits,
        losses.BinaryFocalLoss,
        losses.BinaryHingeLoss,
        losses.BinarySquaredHingeLoss,
        losses.BinaryPoly1Loss,
    ),
    "multiclass": (
        nn.CrossEntropyLoss,
        f.cross_entropy,
        nn.NLLLoss,
        f.nll_loss,
        losses.FocalLoss,
        losses.Poly1Loss,
        losses.LDAMLoss,
        losses.LogitAdjustedLoss,
        losses.GeneralisedCrossEntropyLoss,
        losses.SymmetricCrossEntropyLoss,
    ),
    "multilabel": (
        nn.MultiLabelSoftMarginLoss,
        f.multilabel_soft_margin_loss,
        losses.AsymmetricLoss,
        losses.SoftF1Loss,
        losses.DoubleSoftF1Loss,
    ),
    "segmentation": (
        losses.DiceLoss,
        losses.GeneralisedDiceLoss,
        losses.JaccardLoss,
        losses.TverskyLoss,
        losses.FocalTverskyLoss,
        losses.LovaszSoftmaxLoss,
    ),
    "cumulative levels": (losses.CoralLoss,),
    "conditional levels": (losses.CornLoss,),
    "regression": (nn.MSELoss, f.mse_loss, losses.RMSELoss),
    "absolute regression": (
        nn.L1Loss,
        f.l1_loss,
        nn.SmoothL1Loss,
        f.smooth_l1_loss,
        nn.HuberLoss,
        f.huber_loss,
        losses.LogCoshLoss,
        losses.AdaptiveRobustLoss,
        losses.AdaptiveRobustNLLLoss,
    ),
    "depth": (losses.SILogLoss, losses.BerHuLoss),
    "normals": (losses.CosineNormalsLoss,),
}
_KIND_OF = {
    loss: kind
    for kind, listed in _LOSSES.items()
    for module in listed
    for loss in (module, getattr(module, "function", module))
}

_READINGS: Mapping[str, Reading] = {
    "binary": read.binary,
    "multiclass": read.classes,
    "multilabel": read.labels,
}


def kind_of(loss: Callable[..., Tensor]) -> str | None:
    """What a task with this loss predicts, one of ``BY_KIND``; None for a loss that is not known here.

    A mixture is of its first part's kind, a masked or penalised loss of the one inside.

    >>> kind_of(nn.CrossEntropyLoss()), kind_of(f.huber_loss), kind_of(max)
    ('multiclass', 'absolute regression', None)
    """
    if isinstance(loss, losses.Mixed):
        return kind_of(next(loss for _, loss in loss.terms.values()))
    if isinstance(loss, losses.Masked | losses.Penalised):
        return kind_of(loss.loss)
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
