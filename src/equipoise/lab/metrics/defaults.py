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

# kind -> (module, function)
_LOSSES: Mapping[str, Sequence[tuple[Any, ...]]] = {
    "binary": [
        (nn.BCEWithLogitsLoss, f.binary_cross_entropy_with_logits),
        (losses.BinaryFocalLoss, losses.binary_focal),
        (losses.BinaryHingeLoss, losses.binary_hinge),
        (losses.BinarySquaredHingeLoss, losses.binary_squared_hinge),
        (losses.BinaryPoly1Loss, losses.binary_poly1),
    ],
    "multiclass": [
        (nn.CrossEntropyLoss, f.cross_entropy),
        (nn.NLLLoss, f.nll_loss),
        (losses.FocalLoss, losses.focal),
        (losses.Poly1Loss, losses.poly1),
        (losses.LDAMLoss, losses.ldam),
        (losses.LogitAdjustedLoss, losses.logit_adjusted),
        (losses.GeneralisedCrossEntropyLoss, losses.generalised_cross_entropy),
        (losses.SymmetricCrossEntropyLoss, losses.symmetric_cross_entropy),
    ],
    "multilabel": [
        (nn.MultiLabelSoftMarginLoss, f.multilabel_soft_margin_loss),
        (losses.AsymmetricLoss, losses.asymmetric),
        (losses.SoftF1Loss, losses.soft_f1),
        (losses.DoubleSoftF1Loss, losses.double_soft_f1),
    ],
    "segmentation": [
        (losses.DiceLoss, losses.dice),
        (losses.GeneralisedDiceLoss, losses.generalised_dice),
        (losses.JaccardLoss, losses.jaccard),
        (losses.TverskyLoss, losses.tversky),
        (losses.FocalTverskyLoss, losses.focal_tversky),
        (losses.LovaszSoftmaxLoss, losses.lovasz_softmax),
    ],
    "cumulative levels": [(losses.CoralLoss, losses.coral)],
    "conditional levels": [(losses.CornLoss, losses.corn)],
    "regression": [
        (nn.MSELoss, f.mse_loss),
        (losses.RMSELoss, losses.rmse),
    ],
    "absolute regression": [
        (nn.L1Loss, f.l1_loss),
        (nn.SmoothL1Loss, f.smooth_l1_loss),
        (nn.HuberLoss, f.huber_loss),
        (losses.LogCoshLoss, losses.log_cosh),
        (losses.AdaptiveRobustLoss, losses.adaptive_robust),
        (losses.AdaptiveRobustNLLLoss,),
    ],
    "depth": [
        (losses.SILogLoss, losses.silog),
        (losses.BerHuLoss, losses.berhu),
    ],
    "normals": [
        (losses.CosineNormalsLoss, losses.cosine_normals),
    ],
}
_KIND_OF = {loss: kind for kind, pairs in _LOSSES.items() for pair in pairs for loss in pair}

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
