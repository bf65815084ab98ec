"""Attention to what all tasks share: each task masks the features of each stage.

Liu, Johns, Davison, End-to-End Multi-Task Learning with Attention, CVPR 2019, eqs. (1) and (2), for vectors: linear
layers in place of its convolutions, and no normalisation.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from equipoise.lab.models.encoders import stages_of
from equipoise.lab.models.heads import Headed


class MTAN(Headed):
    """a_k <- m_k * p at each stage, m_k = sigmoid(V relu(U [p, f(a_k)])); in the end y_k = h_k(a_k).

    p is what the shared stage gives. The a_k in m_k is that of the stage before, of which the first has none;
    f = relu(F a + b) is shared by the tasks.

    Args:
        encoder: From inputs to [N, D], in stages.
        heads: h_k, from the last stage's features to a task's output.
        widths: Numbers per sample after each stage, as ``widths_of`` finds them.
    """

    def __init__(self, encoder: nn.Module, heads: Mapping[str, nn.Module], widths: Sequence[int]) -> None:
        super().__init__()
        self.encoder = encoder
        sizes = [widths[0], *(2 * width for width in widths[1:])]  # of what a mask is made from
        self.masks = nn.ModuleList(
            nn.ModuleList(_mask(size, width) for size, width in zip(sizes, widths, strict=True)) for _ in heads
        )
        self.onward = nn.ModuleList(nn.Sequential(nn.Linear(a, b), nn.ReLU()) for a, b in pairwise(widths))
        self.take_heads(heads)

    def features(self, inputs: Any) -> dict[str, Any]:
        """a_k [N, D] of the last stage by task name."""
        shared = [inputs]
        for stage in stages_of(self.encoder):
            shared.append(stage(shared[-1]))
        masked = {}
        for name, masks in zip(self.names, self.masks, strict=True):
            assert isinstance(masks, nn.ModuleList)
            first, *others = masks
            attended = first(shared[1]) * shared[1]
            for mask, onward, p in zip(others, self.onward, shared[2:], strict=True):
                attended = mask(torch.cat([p, onward(attended)], dim=1)) * p
            masked[name] = attended
        return masked


def _mask(size: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(size, width), nn.ReLU(), nn.Linear(width, width), nn.Sigmoid())
