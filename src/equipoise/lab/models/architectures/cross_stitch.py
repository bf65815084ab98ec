"""Cross-stitch networks: a network for each task, and after each stage every task takes a mixture of all.

Misra, Shrivastava, Gupta, Hebert, Cross-stitch Networks for Multi-task Learning, CVPR 2016, eq. (1).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from equipoise.lab.models.encoders import stages_of
from equipoise.lab.models.heads import Headed


class CrossStitch(Headed):
    """x_k <- sum_j alpha_kj x_j in each channel, after each stage of the tasks' encoders; y_k = h_k(x_k).

    alpha begins as ``own`` for a task's own features, and equal parts of the rest for the others'.

    Args:
        encoders: One for each task, of the same stages.
        heads: From the last stage's features [N, D] to a task's output.
        widths: Channels after each stage, as ``widths_of`` finds them.
        own: 0 to 1.
    """

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        heads: Mapping[str, nn.Module],
        widths: Sequence[int],
        own: float = 0.9,
    ) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(encoders[name] for name in heads)
        tasks = len(heads)
        mixture = torch.full((tasks, tasks), (1 - own) / max(1, tasks - 1)).fill_diagonal_(own)
        self.alphas = nn.ParameterList(mixture.repeat(width, 1, 1) for width in widths)  # [D, K, K] after each stage
        self.take_heads(heads)

    def features(self, inputs: Any) -> dict[str, Any]:
        """x_k [N, D] by task name."""
        features: list[Any] = [inputs] * len(self.encoders)
        stages = zip(*(stages_of(encoder) for encoder in self.encoders), strict=True)
        for alpha, stage in zip(self.alphas, stages, strict=True):
            own = torch.stack([step(x) for step, x in zip(stage, features, strict=True)])  # [K, N, D]
            features = list(torch.einsum("dkj,jnd->knd", alpha, own))
        return dict(zip(self.names, features, strict=True))
