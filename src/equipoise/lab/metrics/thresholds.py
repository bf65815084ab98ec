"""From scores to labels: the threshold of each label at which its F1 is largest.

Lipton, Elkan, Naryanaswamy, Optimal Thresholding of Classifiers to Maximize F1 Measure, ECML PKDD 2014.
"""

import torch
from torch import Tensor


def best_thresholds(logits: Tensor, labels: Tensor) -> Tensor:
    """argmax_t of 2 TP / (2 TP + FP + FN), where a label is predicted if its logit is above t [L], float64.

    Each lies halfway between two logits, the larger among equals; a label that no sample has gets +inf.

    Args:
        logits: [N, L].
        labels: 0 or 1 [N, L].

    Raises:
        ValueError: If shapes do not match or there is no sample.

    >>> best_thresholds(torch.tensor([[3.0], [1.0], [0.0], [-1.0]]), torch.tensor([[1], [0], [1], [0]]))
    tensor([-0.5000], dtype=torch.float64)
    """
    if logits.dim() != 2 or logits.shape != labels.shape or not len(logits):
        raise ValueError(f"logits and labels must be [N, L], got {tuple(logits.shape)} and {tuple(labels.shape)}")
    ranked, order = logits.double().sort(dim=0, descending=True)
    hits = labels.double().gather(0, order).cumsum(dim=0)  # of the n + 1 largest
    predicted = torch.arange(1, len(logits) + 1, dtype=torch.float64, device=logits.device)[:, None]
    f1 = 2 * hits / (predicted + hits[-1])
    below = torch.cat([ranked[1:], ranked[-1:] - 2])  # all of them: a threshold under the smallest
    f1 = f1.where(below < ranked, -1.0)  # equal logits are predicted together
    best = f1.argmax(dim=0, keepdim=True)
    thresholds = (ranked.gather(0, best) + below.gather(0, best))[0] / 2
    return thresholds.where(hits[-1] > 0, torch.inf)
