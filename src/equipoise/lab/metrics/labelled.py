"""From a network's outputs and a batch's targets to what a metric takes: where missing labels leave.

A reading is a function ``(outputs, targets, missing) -> (predictions, targets)``. Outputs are what the task's loss
takes: logits, not probabilities. A label is missing where a float target is NaN or an integer one is ``missing``.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric, SumMetric
from torchmetrics.wrappers.abstract import WrapperMetric

from equipoise.losses.checks import require_same_shape
from equipoise.missing import MISSING, labelled, labelled_samples

Reading = Callable[[Any, Any, int], tuple[Any, Any]]


def whole(outputs: Any, targets: Any, missing: int = MISSING) -> tuple[Any, Any]:
    """All as it is: the metric itself knows what does not count."""
    return outputs, targets


def values(outputs: Tensor, targets: Tensor, missing: int = MISSING) -> tuple[Tensor, Tensor]:
    """Outputs and targets of one shape -> [M] and [M] in float64, in which sums of squares keep their digits.

    >>> values(torch.tensor([1.0, 2.0]), torch.tensor([torch.nan, 3.0]))
    (tensor([2.], dtype=torch.float64), tensor([3.], dtype=torch.float64))
    """
    require_same_shape(outputs=outputs, targets=targets)
    present = labelled(targets, missing)
    return outputs[present].double(), targets[present].double()


def binary(outputs: Tensor, targets: Tensor, missing: int = MISSING) -> tuple[Tensor, Tensor]:
    """Logits and labels 0 or 1 of one shape -> probabilities [M] in float64 and labels [M].

    Always the sigmoid: torchmetrics takes it only in batches where a logit lies outside [0, 1].
    """
    _require_labels(outputs, targets)
    logits, labels = values(outputs, targets, missing)
    return logits.double().sigmoid(), labels.long()


def ranking(outputs: Tensor, targets: Tensor, missing: int = MISSING) -> tuple[Tensor, Tensor]:
    """As ``binary``, but scores of the same order that are not probabilities: a sigmoid would tie all large logits."""
    _require_labels(outputs, targets)
    logits, labels = values(outputs, targets, missing)
    return _order(logits), labels.long()


def labels(outputs: Tensor, targets: Tensor, missing: int = MISSING) -> tuple[Tensor, Tensor]:
    """Logits and labels 0 or 1 [N, L, ...] -> probabilities [M, L] in float64 and labels [M, L], -100 where missing."""
    logits, kept = _label_rows(outputs, targets, missing)
    return logits.double().sigmoid(), kept


def label_ranking(outputs: Tensor, targets: Tensor, missing: int = MISSING) -> tuple[Tensor, Tensor]:
    """As ``labels``, but scores of the same order that are not probabilities."""
    logits, kept = _label_rows(outputs, targets, missing)
    return _order(logits), kept


def classes(outputs: Tensor, targets: Tensor, missing: int = MISSING) -> tuple[Tensor, Tensor]:
    """Logits [N, C, ...] and classes [N, ...], or shares of classes [N, C, ...] -> logits [M, C] and classes [M]."""
    if outputs.shape == targets.shape:
        targets = likeliest_class(targets, missing)
    expected = (*outputs.shape[:1], *outputs.shape[2:])
    if outputs.dim() < 2 or targets.shape != expected:
        last = outputs.dim() > 2 and targets.shape == outputs.shape[:-1]
        raise ValueError(
            f"targets must be classes [N, ...] beside logits [N, C, ...], got {tuple(targets.shape)} and "
            f"{tuple(outputs.shape)}{': where the classes come last, write per_token(metric)' if last else ''}"
        )
    present = labelled(targets, missing)
    kept = targets[present].long()
    wrong = kept[(kept < 0) | (kept >= outputs.shape[1])]
    if len(wrong):
        raise ValueError(
            f"targets must be classes 0 to {outputs.shape[1] - 1}, or {missing} where missing, got {wrong[0]}: logits "
            f"{tuple(outputs.shape)} have {outputs.shape[1]} classes"
        )
    return outputs.movedim(1, -1)[present], kept


def likeliest_class(targets: Tensor, missing: int = MISSING) -> Tensor:
    """Of shares of classes [N, C, ...], NaN where missing, the classes [N, ...]; classes stay as they are."""
    if not targets.is_floating_point() or targets.dim() < 2:
        return targets
    return targets.argmax(dim=1).masked_fill(targets.isnan().any(dim=1), missing)


def class_probabilities(outputs: Tensor, targets: Tensor, missing: int = MISSING) -> tuple[Tensor, Tensor]:
    """As ``classes``, but probabilities in float64; always the softmax, as in ``binary``."""
    logits, kept = classes(outputs, targets, missing)
    return logits.double().softmax(dim=-1), kept


def queries(outputs: Tensor, targets: Tensor, missing: int = MISSING) -> tuple[Tensor, Tensor]:
    """Similarities [N, items] and the items that belong to the queries [N] -> those of the queries that have one.

    Targets [N, items], True where relevant, stay as they are.
    """
    if targets.dim() != 1:
        return outputs, targets
    present = labelled(targets, missing)
    return outputs[present], targets[present]


def tokens(outputs: Tensor, targets: Tensor, missing: int = MISSING, *, reading: Reading) -> tuple[Tensor, Tensor]:
    """Outputs and targets [B, T, ...] as ``reading`` reads the tokens [B T, ...] that have a label."""
    if targets.dim() < 2 or outputs.shape[:2] != targets.shape[:2]:
        raise ValueError(
            f"outputs [B, T, ...] and targets [B, T, ...] must have the same B and T, got {tuple(outputs.shape)} and "
            f"{tuple(targets.shape)}"
        )
    outputs, targets = outputs.flatten(0, 1), targets.flatten(0, 1)
    present = labelled_samples(targets, missing)
    return reading(outputs[present], targets[present], missing)


def texts(
    outputs: Sequence[str], targets: Sequence[str | Sequence[str] | None], missing: int = MISSING
) -> tuple[list[str], list[list[str]]]:
    """Texts and their references (one or several each, None where missing) -> both lists without the missing.

    >>> texts(["a cat", "a dog"], ["the cat", None])
    (['a cat'], [['the cat']])
    """
    if len(outputs) != len(targets):
        raise ValueError(f"outputs and targets must be equally many texts, got {len(outputs)} and {len(targets)}")
    pairs = [(text, references) for text, references in zip(outputs, targets, strict=True) if references is not None]
    return (
        [text for text, _ in pairs],
        [[references] if isinstance(references, str) else list(references) for _, references in pairs],
    )


class Labelled(WrapperMetric):
    """A torchmetrics metric that takes a network's outputs, and is not shown what has no label.

    Args:
        metric: Any torchmetrics metric; it is updated with what the reading returns.
        reading: How outputs and targets become what the metric takes.
        name: What it is called.
        missing: The integer target of a missing label.

    Over several ranks, a metric that keeps all it is shown (auroc, average-precision, calibration-error) needs a label
    on each of them: torchmetrics cannot gather from a rank that has none.

    ``update(outputs, targets, mask)``; targets ``None``: no labels in this batch; the mask, if there is one, is boolean
    and broadcasts to the targets, and where it is False nothing counts. ``compute()`` is NaN where no label was
    seen at all.

    >>> from torchmetrics.classification import BinaryF1Score
    >>> f1 = Labelled(BinaryF1Score(), binary, "f1")
    >>> f1.update(torch.tensor([2.0, 0.5, -1.0]), torch.tensor([1.0, torch.nan, 0.0]))
    >>> f1.update(torch.zeros(5), None)
    >>> f1.compute()
    tensor(1.)
    """

    def __init__(self, metric: Metric, reading: Reading, name: str, missing: int = MISSING) -> None:
        super().__init__()
        self.metric = metric
        self.reading = reading
        self.name = name
        self.missing = missing
        self.labels = SumMetric()

    @property
    def higher_is_better(self) -> bool | None:  # type: ignore[override]
        """Whether larger values are better; None where the metric does not say."""
        return self.metric.higher_is_better

    @property
    def perfect(self) -> float | None:
        """The best value there is; None where the metric does not say."""
        bound = self.metric.plot_upper_bound if self.higher_is_better else self.metric.plot_lower_bound
        return None if self.higher_is_better is None else bound

    @property
    def token_reading(self) -> Reading | None:
        """How each token is read where ``per_token`` made this metric, else None."""
        found: Reading | None = None
        if isinstance(self.reading, partial) and self.reading.func is tokens:
            found = self.reading.keywords["reading"]
        return found

    def update(self, outputs: Any, targets: Any, mask: Tensor | None = None) -> None:
        """Take one batch; where ``mask`` is False, nothing counts."""
        seen = self._read(outputs, targets, mask)
        if seen is not None:
            self.metric.update(*seen)

    def forward(self, outputs: Any, targets: Any, mask: Tensor | None = None) -> Any:
        """Take one batch, and return its own value."""
        seen = self._read(outputs, targets, mask)
        return torch.tensor(torch.nan) if seen is None else self.metric(*seen)

    def compute(self) -> Any:
        """The value over all batches so far."""
        return self.metric.compute() if self.labels.compute() > 0 else torch.tensor(torch.nan)

    def reset(self) -> None:
        """Forget all batches."""
        self.metric.reset()
        self.labels.reset()

    def _read(self, outputs: Any, targets: Any, mask: Tensor | None) -> tuple[Any, Any] | None:
        if targets is None:
            self.labels.update(0)
            return None
        if mask is not None:
            targets = targets.long() if targets.dtype == torch.bool else targets
            targets = targets.masked_fill(~mask, torch.nan if targets.is_floating_point() else self.missing)
        seen = self.reading(outputs, targets, self.missing)
        self.labels.update(len(seen[1]))
        return seen if len(seen[1]) else None


def per_token(metric: Labelled) -> Labelled:
    """The metric of outputs and targets [B, T, ...], each token a sample, as ``equipoise.losses.PerToken`` reads them.

    >>> from torchmetrics.classification import MulticlassAccuracy
    >>> accuracy = per_token(Labelled(MulticlassAccuracy(2, average="micro"), classes, "accuracy"))
    >>> accuracy.update(torch.tensor([[[2.0, 0.0], [1.0, 0.0], [0.0, 0.0]]]), torch.tensor([[0, 1, -100]]))
    >>> accuracy.compute()
    tensor(0.5000)
    """
    return Labelled(metric.metric, partial(tokens, reading=metric.reading), metric.name, metric.missing)


def _order(logits: Tensor) -> Tensor:
    """Numbers in (0, 1) in the order of the logits, in float64; large ones stay apart where a sigmoid ties them."""
    logits = logits.double()
    return 0.5 + 0.5 * logits / (1 + logits.abs())


def _require_labels(outputs: Tensor, targets: Tensor) -> None:
    """Raise where these are certainly logits of several classes, and classes."""
    is_one_of_several = outputs.dim() > 1 and outputs.shape[1] > 1 and not targets.is_floating_point()
    if is_one_of_several and targets.shape == (len(outputs), *outputs.shape[2:]):
        raise ValueError(
            f"outputs {tuple(outputs.shape)} beside classes {tuple(targets.shape)} are logits of {outputs.shape[1]} "
            f"classes: make the metric with num_classes={outputs.shape[1]}"
        )


def _label_rows(outputs: Tensor, targets: Tensor, missing: int) -> tuple[Tensor, Tensor]:
    """Logits [M, L] and labels [M, L] of the rows that have one; a missing label is -100."""
    _require_labels(outputs, targets)
    require_same_shape(outputs=outputs, targets=targets)
    if targets.dim() < 2:
        raise ValueError(f"targets must be [N, L, ...] for L labels, got {tuple(targets.shape)}")
    logits, rows = outputs.movedim(1, -1).flatten(0, -2), targets.movedim(1, -1).flatten(0, -2)
    present = labelled(rows, missing)
    kept = present.any(dim=1)
    return logits[kept], rows.where(present, MISSING).long()[kept]
