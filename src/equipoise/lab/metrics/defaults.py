"""Which metrics a task gets that names none: they follow from its loss."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
    "mask": ("iou", "f1"),
    "masks": ("miou", "f1-macro"),
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
        nn.BCELoss,  # what ranks probabilities ranks logits
        f.binary_cross_entropy,
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
        nn.MultiMarginLoss,
        f.multi_margin_loss,
        losses.SequenceCrossEntropyLoss,
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
    "masks": (
        losses.BinaryDiceLoss,
        losses.BinaryJaccardLoss,
        losses.BinaryTverskyLoss,
        losses.BinaryFocalTverskyLoss,
        losses.LovaszHingeLoss,
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
    "segmentation": read.classes,
    "multilabel": read.labels,
    "masks": read.labels,
}


def kind_of(loss: Callable[..., Tensor]) -> str | None:
    """What a task with this loss predicts, one of ``BY_KIND``; None for a loss that is not known here.

    A mixture is of its first part's kind, a masked, penalised or per-token loss of the one inside.

    >>> kind_of(nn.CrossEntropyLoss()), kind_of(f.huber_loss), kind_of(max)
    ('multiclass', 'absolute regression', None)
    """
    known = (_KIND_OF.get(key) for one in _inwards(loss) for key in (one, *type(one).__mro__))
    return next((kind for kind in known if kind is not None), None)


def is_per_token(loss: Callable[..., Tensor]) -> bool:
    """Whether outputs and targets of a task with this loss are [B, T, ...], each token a sample.

    >>> is_per_token(losses.PerToken(nn.CrossEntropyLoss())), is_per_token(nn.CrossEntropyLoss())
    (True, False)
    """
    of_sequences = losses.PerToken, losses.SequenceCrossEntropyLoss
    return any(isinstance(one, of_sequences) or one is losses.sequence_cross_entropy for one in _inwards(loss))


def _inwards(loss: Callable[..., Tensor]) -> Iterator[Callable[..., Tensor]]:
    """A loss, then what is in it."""
    yield loss
    if isinstance(loss, losses.Mixed):
        yield from _inwards(next(first for _, first in loss.terms.values()))
    if isinstance(loss, losses.Masked | losses.Penalised | losses.PerToken):
        yield from _inwards(loss.loss)


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
