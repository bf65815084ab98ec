"""Which loss for these targets: the kind of task they belong to, what is special about them, and what follows."""

from dataclasses import replace

from torch import Tensor

from equipoise.losses.suggest.classes import binary, multiclass, multilabel, ordinal, sequence
from equipoise.losses.suggest.kinds import find_task, guess, look, require_fit, require_no_stand_in
from equipoise.losses.suggest.masks import segmentation
from equipoise.losses.suggest.suggestion import Suggestion
from equipoise.losses.suggest.values import depth, regression

__all__ = ["Suggestion", "suggest"]

_RULES = {
    "binary": binary,
    "multiclass": multiclass,
    "multilabel": multilabel,
    "ordinal": ordinal,
    "regression": regression,
    "depth": depth,
    "segmentation": segmentation,
    "sequence": sequence,
}


def suggest(
    *, task: str | None = None, targets: Tensor, num_classes: int | None = None, ignore_index: int = -100
) -> list[Suggestion]:
    """Losses for these targets, the likeliest first, each ready to use, with its reasons and the code that makes it.

    Looked at are dtype, shape and range; how unequal classes or labels are; what is missing; outliers and orders of
    magnitude of numbers; small regions. What targets cannot show (wrong labels, the metric) is in the reasons, as "if".

    Args:
        task: ``"binary"``, ``"multiclass"``, ``"multilabel"``, ``"ordinal"``, ``"regression"``, ``"depth"``,
            ``"segmentation"`` or ``"sequence"``, or another name of these, such as ``"multilabel"``; ``None``:
            guessed, and the first reason says so.
        targets: All of the training set, or a fair sample; batch first. NaN is a missing label.
        num_classes: Of class indices or levels; ``None``: the largest that occurs, and one.
        ignore_index: The integer that stands for a missing label.

    Raises:
        ValueError: If targets are not of this kind; the message names the one that fits. Also for a -1 beside classes
            or a 255 in a mask that is not ``ignore_index``, unless ``task`` is ``"regression"``.

    >>> import torch
    >>> targets = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [1.0, 1.0]]).repeat(30, 1)
    >>> suggestion = suggest(targets=targets)[0]
    >>> print(suggestion)
    loss = nn.BCEWithLogitsLoss()
        takes logits [N, 2]
        - no task given: multilabel, for several 0 or 1 per sample
        - 1 of 2 labels are positive in a sample; label 1 in 30 of 120
        - no label is rare
    >>> suggestion.loss(torch.zeros(120, 2), targets)
    tensor(0.6931)
    """
    seen = look(targets, num_classes, ignore_index)
    task = None if task is None else find_task(task)
    if task != "regression":
        require_no_stand_in(seen)
    guessed = []
    if task is None:
        task, reason = guess(seen)
        guessed = [f"no task given: {task}, for {reason}"]
    require_fit(task, seen)
    facts, (first, *others) = _RULES[task](seen)
    return [replace(first, reasons=(*guessed, *facts, *first.reasons)), *others]
