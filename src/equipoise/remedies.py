"""What to write where a loss of torch's refuses an output and a target, or would broadcast or squash them."""

import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from equipoise.missing import MISSING, labelled

_BROADCAST = {
    *(nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss),
    *(F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss),
}
_YES_OR_NO = {nn.BCEWithLogitsLoss, nn.BCELoss, F.binary_cross_entropy_with_logits, F.binary_cross_entropy}
_CLASSES = {nn.CrossEntropyLoss, nn.NLLLoss, F.cross_entropy, F.nll_loss}
_LOGITS = {
    *(nn.BCEWithLogitsLoss, nn.CrossEntropyLoss, nn.MultiLabelSoftMarginLoss),
    *(F.binary_cross_entropy_with_logits, F.cross_entropy, F.multilabel_soft_margin_loss),
}
_ACTIVATIONS = {"SigmoidBackward0": "sigmoid", "SoftmaxBackward0": "softmax"}
_VIEWS = ("View", "Squeeze", "Unsqueeze", "Select", "Slice", "Index", "UnsafeView", "ToCopy", "Transpose")


def require_no_broadcast(what: str, loss: Callable[..., Tensor], arguments: Sequence[Any]) -> None:
    """Raise where a loss of torch's would stretch an output, [N, 1] beside a target [N] to [N, N], with a warning only.

    A target that is stretched to the output, such as the one number of a least-squares GAN, is left to torch.

    Args:
        what: The output and the target, for the message.
        loss: That is to be called.
        arguments: With these.

    Raises:
        ValueError: The output would be stretched, or the shapes do not fit.
    """
    if not _is_one(loss, _BROADCAST) or not _are_pair(arguments):
        return
    output, target = arguments
    if _stretches_to(target.shape, output.shape):
        return
    raise ValueError(
        f"{what} must have the same shape, got {tuple(output.shape)} and {tuple(target.shape)}"
        f"{_squeezed(output.shape, target.shape)}"
    )


def takes_logits(loss: Callable[..., Tensor]) -> bool:
    """Whether a sigmoid or softmax is in the loss: one of torch's, or its first argument is named ``logits``.

    >>> takes_logits(nn.BCEWithLogitsLoss()), takes_logits(nn.BCELoss()), takes_logits(lambda logits, target: 0)
    (True, False, True)
    """
    if _is_one(loss, _LOGITS):
        return True
    try:
        names = list(inspect.signature(loss.forward if isinstance(loss, nn.Module) else loss).parameters)
    except ValueError:  # a builtin shows no arguments
        return False
    return names[:1] == ["logits"]


def activation_of(output: Any) -> str:
    """The sigmoid or softmax that an output, or what it is a view of, comes from; else nothing.

    >>> activation_of(torch.zeros(4, 1, requires_grad=True).sigmoid().squeeze(1))
    'sigmoid'
    """
    node = output.grad_fn if isinstance(output, Tensor) and not torch.compiler.is_compiling() else None
    while node is not None and node.name().startswith(_VIEWS):
        node = node.next_functions[0][0]
    return "" if node is None else _ACTIVATIONS.get(node.name(), "")


def remedy(loss: Callable[..., Tensor], arguments: Sequence[Any]) -> str:
    """What to write instead, where that is certain; begins with a colon."""
    if not _are_pair(arguments):
        return ""
    output, target = arguments
    if _is_one(loss, _YES_OR_NO):
        return _squeezed(output.shape, target.shape) or ("" if target.is_floating_point() else ": write target.float()")
    if target.dim() > 1 and not target.is_floating_point() and output.shape[:-1] == target.shape:
        return f": output {tuple(output.shape)} has the classes last, so write equipoise.losses.PerToken(loss)"
    if _is_one(loss, _CLASSES) and not output.is_floating_point():
        return ": outputs come before targets"
    if _is_one(loss, _CLASSES) and target.shape == output.shape and not target.is_floating_point():
        return ": one-hot classes are floats: write target.argmax(dim=1), or target.float()"
    if _is_one(loss, _CLASSES) and target.shape == (len(output), 1):
        return ": write target.squeeze(-1)"
    if _is_one(loss, _CLASSES) and target.shape == (*output.shape[:1], *output.shape[2:]):
        if target.dtype != torch.int64:
            return ": write target.long()"
        if (target < 0).any() and (lowest := int(target.min())) != MISSING:
            return f": target {lowest} is no class; a missing label is {MISSING}, or the loss's ignore_index"
        if target.numel() and int(target.max()) >= output.shape[1]:
            return f": output {tuple(output.shape)} has classes 0 to {output.shape[1] - 1}, target {int(target.max())}"
    return ""


def are_hidden_missing(name: str, arguments: Sequence[Any], loss: Tensor) -> bool:
    """Whether a task's loss is not finite because all targets are -100, which it leaves out without showing; warns."""
    if not _are_pair(arguments) or arguments[1].is_floating_point() or torch.compiler.is_compiling():
        return False
    target = arguments[1]
    if labelled(target, MISSING).any() or loss.isfinite():
        return False
    warnings.warn(
        f"task {name!r} is absent from this batch: its {target.numel()} targets are all {MISSING}, and its loss is "
        f"{loss.item():g}. Its loss shows no ignore_index, so {MISSING} is counted as a label: write "
        f"loss=nn.CrossEntropyLoss(), or give your function an argument ignore_index={MISSING}",
        stacklevel=3,
    )
    return True


def _stretches_to(shape: torch.Size, wanted: torch.Size) -> bool:
    """Whether broadcasting makes the one shape the other."""
    pairs = zip(reversed(shape), reversed(wanted), strict=False)
    return len(shape) <= len(wanted) and all(size in (1, to) for size, to in pairs)


def _is_one(loss: Callable[..., Tensor], of: set[Any]) -> bool:
    """Whether it is of these, itself or by its class; a subclass may do anything."""
    return type(loss) in of or (not isinstance(loss, nn.Module) and loss in of)


def _are_pair(arguments: Sequence[Any]) -> bool:
    return len(arguments) == 2 and all(isinstance(argument, Tensor) for argument in arguments)


def _squeezed(output: torch.Size, target: torch.Size) -> str:
    if output == (*target, 1):
        return ": write output.squeeze(-1)"
    return ": write target.squeeze(-1)" if target == (*output, 1) else ""
