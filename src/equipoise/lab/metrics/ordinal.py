"""Ordinal levels 0 to K - 1: how many levels off.

Gaudette, Japkowicz, Evaluation Methods for Ordinal Classification, 2009: mean absolute error and accuracy within one;
the quadratic weighted kappa is torchmetrics' (``metric("quadratic-kappa", num_classes=K)``).
Targets [N, ...] are integers, -100 where missing, or floats, NaN where missing.
"""

from typing import Any, Literal

import torch
from torch import Tensor

from equipoise.lab.metrics.mean import MeanOf
from equipoise.losses import corn_levels
from equipoise.losses.checks import require_same_shape
from equipoise.missing import labelled

Form = Literal["levels", "cumulative", "conditional", "classes"]


def to_levels(outputs: Tensor, form: Form = "levels") -> Tensor:
    """The predicted level.

    Args:
        outputs: ``"levels"``: the level itself [N, ...], rounded. ``"cumulative"``: logits of
            P(level > k) [N, K - 1, ...], as from ``CoralLoss``; the level is the number of those above 0.
            ``"conditional"``: logits of P(level > k | level > k - 1), as from ``CornLoss``; the level is the number of
            products of their sigmoids above 1/2. ``"classes"``: a logit for each
            level [N, K, ...]; the level is the largest.
        form: Which of the four.

    Raises:
        ValueError: If there is no such form.

    >>> to_levels(torch.tensor([[3.0, 1.0, -2.0]]), "cumulative")
    tensor([2])
    """
    if form == "levels":
        return outputs.round().long() if outputs.is_floating_point() else outputs.long()
    if form == "cumulative":
        return (outputs > 0).sum(dim=1)
    if form == "conditional":
        return corn_levels(outputs.movedim(1, -1).flatten(0, -2)).view(outputs.select(1, 0).shape)
    if form == "classes":
        return outputs.argmax(dim=1)
    raise ValueError(f"form must be 'levels', 'cumulative', 'conditional' or 'classes', got {form!r}")


def level_pairs(
    outputs: Tensor, targets: Tensor, missing: int = -100, *, form: Form = "levels"
) -> tuple[Tensor, Tensor]:
    """Predicted and true levels [M], integers, where there is a label.

    Raises:
        ValueError: If the levels and targets differ in shape.

    >>> level_pairs(torch.tensor([2.2, 0.0, 4.0]), torch.tensor([4, 0, -100]))
    (tensor([2, 0]), tensor([4, 0]))
    """
    levels = to_levels(outputs, form)
    if levels.shape != targets.shape:
        raise ValueError(
            f"outputs read as {form!r} are levels {tuple(levels.shape)}, but targets are {tuple(targets.shape)}: "
            "choose what the outputs are by form=, or by a name such as 'level-mae-cumulative' for CoralLoss"
        )
    counts = labelled(targets, missing)
    return levels[counts], targets[counts].round().long()


class LevelDistance(MeanOf):
    """mean |level - level*|.

    Args:
        form: What the outputs are, see ``to_levels``.
        missing: The integer target of a missing label.
        options: Those of ``torchmetrics.Metric``.
    """

    def __init__(self, form: Form = "levels", missing: int = -100, **options: Any) -> None:
        super().__init__(**options)
        self.form: Form = form
        self.missing = missing

    def elements(self, outputs: Tensor, targets: Tensor, mask: Tensor | None) -> Tensor:
        if mask is not None:
            require_same_shape(mask=mask, targets=targets)
            targets = targets.masked_fill(~mask, torch.nan if targets.is_floating_point() else self.missing)
        levels, true = level_pairs(outputs, targets, self.missing, form=self.form)
        return (levels - true).abs()


class LevelsWithin(LevelDistance):
    """Share with |level - level*| <= distance, 0 to 1.

    Args:
        distance: 0 is accuracy, 1 accuracy within one level.
        form: What the outputs are, see ``to_levels``.
        missing: The integer target of a missing label.
        options: Those of ``torchmetrics.Metric``.
    """

    higher_is_better = True
    plot_upper_bound: float = 1.0

    def __init__(self, distance: int = 1, form: Form = "levels", missing: int = -100, **options: Any) -> None:
        super().__init__(form, missing, **options)
        self.distance = distance

    def elements(self, outputs: Tensor, targets: Tensor, mask: Tensor | None) -> Tensor:
        return super().elements(outputs, targets, mask) <= self.distance
