"""From outputs to what the network says: pairs of classes (said, true) [M], integers, where there is a label.

A decision is a function ``(outputs, targets, missing) -> (said, true)``; a label is missing where a float target is
NaN or an integer one is ``missing``.
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor

from equipoise.lab.metrics.labelled import MISSING, binary, classes
from equipoise.lab.metrics.ordinal import Form, level_pairs

Decision = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]


def largest(outputs: Tensor, targets: Tensor, missing: int = MISSING) -> tuple[Tensor, Tensor]:
    """Of logits [N, C, ...] the largest, beside classes [N, ...]: samples, or the pixels of masks."""
    logits, true = classes(outputs, targets, missing)
    return logits.argmax(dim=-1), true


def above_half(outputs: Tensor, targets: Tensor, missing: int = MISSING) -> tuple[Tensor, Tensor]:
    """1 where the probability behind a logit [N] is above 1/2, beside labels 0 or 1 [N]."""
    probabilities, true = binary(outputs, targets, missing)
    return (probabilities > 0.5).long(), true


def level(form: Form) -> Decision:
    """The level, of outputs as ``equipoise.lab.metrics.ordinal.to_levels`` takes them."""
    return partial(level_pairs, form=form)
