"""Distillation: a student learns from a teacher's logits, features or attention; the teacher gets no gradient.

Logits: Hinton, Vinyals, Dean, Distilling the Knowledge in a Neural Network, 2015, section 2.
Features: Romero et al., FitNets, ICLR 2015, eq. (3). Attention: Zagoruyko, Komodakis, Paying More Attention to
Attention, ICLR 2017, eq. (2).
"""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from equipoise.losses.checks import (
    require_dim,
    require_floating,
    require_logits,
    require_same_shape,
    require_temperature,
    wide,
)
from equipoise.losses.features import unit
from equipoise.losses.module import FunctionLoss
from equipoise.losses.reduction import Reduction, reduced, require_reduction

__all__ = [
    "AttentionTransferLoss",
    "DistillationLoss",
    "FeatureDistillationLoss",
    "attention_transfer",
    "distillation_kl",
    "feature_distillation",
]


def distillation_kl(
    student_logits: Tensor, teacher_logits: Tensor, *, temperature: float = 2.0, reduction: Reduction = "mean"
) -> Tensor:
    """temperature² · KL(softmax(teacher / temperature) ‖ softmax(student / temperature)).

    Args:
        student_logits: [N, C, ...].
        teacher_logits: The same shape.
        temperature: Positive; its square keeps the gradient's size as it grows.
        reduction: As in torch, over all [N, ...]; of [N, C], ``"mean"`` is what torch calls batchmean.

    Raises:
        ValueError: If shapes differ, or a value is out of its range.

    >>> distillation_kl(torch.zeros(1, 2), torch.tensor([[1.0, 3.0]]).log(), temperature=1.0)  # ¼ log ½ + ¾ log 3/2
    tensor(0.1308)
    """
    require_floating(student_logits=student_logits, teacher_logits=teacher_logits)
    require_dim("student_logits", student_logits, "[N, C, ...]", least=2)
    require_same_shape(student_logits=student_logits, teacher_logits=teacher_logits)
    require_logits(student_logits)
    require_logits(teacher_logits)
    require_temperature(temperature)
    student = F.log_softmax(wide(student_logits) / temperature, dim=1)
    with torch.no_grad():
        teacher = F.log_softmax(wide(teacher_logits) / temperature, dim=1)
    losses = F.kl_div(student, teacher, log_target=True, reduction="none").sum(dim=1)
    return temperature**2 * reduced(losses, reduction)


def feature_distillation(student: Tensor, teacher: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """½ ‖student − teacher‖² of each sample.

    Args:
        student: Features [N, ...]; where the teacher's are larger, map them first, by a layer that is trained along.
        teacher: The same shape.
        reduction: As in torch, over the N samples.

    Raises:
        ValueError: If shapes differ.

    >>> feature_distillation(torch.zeros(2, 3), torch.ones(2, 3))
    tensor(1.5000)
    """
    require_floating(student=student, teacher=teacher)
    require_dim("student", student, "[N, D] or [N, C, ...]", least=2)
    require_same_shape(student=student, teacher=teacher)
    student, teacher = wide(student), wide(teacher.detach())
    if reduction == "none":
        return F.mse_loss(student, teacher, reduction="none").flatten(1).sum(dim=1) / 2
    require_reduction(reduction)
    total = F.mse_loss(student, teacher, reduction="sum") / 2  # one number, no copy of the features
    return total / len(student) if reduction == "mean" else total


def attention_transfer(student: Tensor, teacher: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """‖Q_s / ‖Q_s‖ − Q_t / ‖Q_t‖‖ of each sample, Q the sum over channels of the squared activations.

    A map of zeros stays zero. The paper weights each pair of layers by β / 2.

    Args:
        student: Activations [N, C, ...], as of a convolution.
        teacher: The same shape, but for the number of channels.
        reduction: As in torch, over the N samples.

    Raises:
        ValueError: If batch or places differ.

    >>> attention_transfer(torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.0, 5.0]]]))  # √2
    tensor(1.4142)
    """
    require_floating(student=student, teacher=teacher)
    for name, activations in (("student", student), ("teacher", teacher)):
        require_dim(name, activations, "[N, C, ...] with places, as [N, C, H, W]", least=3)
    if student.shape[:1] + student.shape[2:] != teacher.shape[:1] + teacher.shape[2:]:
        raise ValueError(
            f"student and teacher must agree but for channels, got {tuple(student.shape)} and {tuple(teacher.shape)}: "
            "bring both to one size with torch.nn.functional.interpolate"
        )
    gap = _attention(wide(student)) - _attention(wide(teacher.detach()))
    return reduced(torch.linalg.vector_norm(gap, dim=1), reduction)


def _attention(activations: Tensor) -> Tensor:
    """Unit maps [N, places]."""
    return unit(activations.square().sum(dim=1).flatten(1))


class DistillationLoss(FunctionLoss):
    """``distillation_kl`` with its arguments."""

    function = staticmethod(distillation_kl)
    check = staticmethod(require_temperature)
    temperature: float = 2.0
    reduction: Reduction = "mean"


class FeatureDistillationLoss(FunctionLoss):
    """``feature_distillation`` with its arguments."""

    function = staticmethod(feature_distillation)
    reduction: Reduction = "mean"


class AttentionTransferLoss(FunctionLoss):
    """``attention_transfer`` with its arguments."""

    function = staticmethod(attention_transfer)
    reduction: Reduction = "mean"
