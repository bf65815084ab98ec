"""Alignment: is what belongs together among the k nearest?

Torchmetrics' retrieval metrics identify queries by a number that has to be unique over all batches and ranks, and
never retrieve an item whose score is not positive; rows of a similarity matrix need no number, and cosines are signed.
"""

from typing import Any

import torch
from torch import Tensor

from equipoise.lab.metrics.mean import MeanOf


def recall_at(similarities: Tensor, targets: Tensor, k: int, missing: int = -100) -> Tensor:
    """Share of a query's relevant items that are among its k most similar [M], in float64.

    Args:
        similarities: [N, items], larger is nearer.
        targets: [N], the item that belongs to the query, or ``missing``; or [N, items], True where relevant. A query
            without a relevant item does not count.
        k: At least 1; beyond the number of items it is all of them.
        missing: The target of a query that does not count.

    Raises:
        ValueError: If the shapes do not fit, or a target is no item.

    >>> recall_at(torch.tensor([[0.9, 0.1, 0.5], [0.2, 0.3, 0.1]]), torch.tensor([2, 2]), k=2)
    tensor([1., 0.], dtype=torch.float64)
    """
    if similarities.dim() != 2 or len(targets) != len(similarities):
        raise ValueError(
            f"similarities must be [N, items] with N targets, got {tuple(similarities.shape)} and "
            f"{len(targets)} targets"
        )
    items = similarities.shape[1]
    if targets.dim() == 1:
        known = targets != missing
        similarities, targets = similarities[known], targets[known]
        if targets.numel() and not 0 <= int(targets.min()) <= int(targets.max()) < items:
            wrong = int(targets.min()) if targets.min() < 0 else int(targets.max())
            raise ValueError(f"targets must be items 0 to {items - 1}, got {wrong}")
        relevant = torch.zeros_like(similarities, dtype=torch.bool)
        relevant[torch.arange(len(targets), device=targets.device), targets] = True
    elif targets.shape == similarities.shape:
        relevant = targets.bool()
        answerable = relevant.any(dim=1)
        similarities, relevant = similarities[answerable], relevant[answerable]
    else:
        raise ValueError(f"targets must be [N] or {tuple(similarities.shape)}, got {tuple(targets.shape)}")
    found = relevant.gather(1, similarities.topk(min(k, items), dim=1).indices)
    return found.sum(dim=1).double() / relevant.sum(dim=1)


class RetrievalRecallAt(MeanOf):
    """Mean of ``recall_at`` over queries, 0 to 1.

    Args:
        k: How many nearest items are looked at.
        options: Those of ``torchmetrics.Metric``.

    Raises:
        ValueError: If ``k`` is not a positive integer.
    """

    higher_is_better = True
    plot_upper_bound: float = 1.0

    def __init__(self, k: int = 1, **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(k, int) or k < 1:
            raise ValueError(f"k must be a positive integer, got {k!r}")
        self.k = k

    def elements(self, outputs: Tensor, targets: Tensor, mask: Tensor | None) -> Tensor:
        if mask is not None:  # by query [N]
            outputs, targets = outputs[mask], targets[mask]
        return recall_at(outputs, targets, self.k)
