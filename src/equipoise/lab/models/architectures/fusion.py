"""Fusion: features of each task's own, and heads that read those of several tasks.

Gao, Ma, Zhao, Liu, Yuille, NDDR-CNN: Layerwise Feature Fusing in Multi-Task CNNs by Neural Discriminative
Dimensionality Reduction, CVPR 2019, section 3: features side by side, and back to their number by a linear map that
begins with a task's own. Here once, before the heads.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.lab.models.architectures.experts import make_experts, through
from equipoise.lab.models.heads import Headed
from equipoise.tasks import nearest


class Fusion(Headed):
    """y_k = h_k(relu(F_k [t_j(x)]_j)), t_j(x) = relu(T_j x), over the tasks j that k reads, x what the encoder makes.

    F_k begins as ``own`` times t_k(x) and equal parts of the rest for the others.

    Args:
        encoder: From inputs to x [N, width].
        heads: h_k, from [N, width] to a task's output.
        width: D, also of the tasks' features.
        reads: By task, the tasks whose features its head reads; a task that is not there reads all.
        own: 0 to 1; of a task that does not read itself, all is for the others.

    Raises:
        ValueError: If ``reads`` names a task that has no head, or none for a task.
    """

    def __init__(
        self,
        encoder: nn.Module,
        heads: Mapping[str, nn.Module],
        width: int,
        reads: Mapping[str, Sequence[str]] | None = None,
        own: float = 0.9,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.features = make_experts(width, len(heads))
        self.take_heads(heads)
        self.reads = [self._places(name, (reads or {}).get(name, self.names)) for name in self.names]
        self.fusions = nn.ModuleList(
            _fusion(width, [_share(own, place == k, len(places), k in places) for place in places])
            for k, places in enumerate(self.reads)
        )

    def forward(self, inputs: Any) -> dict[str, Tensor]:
        """The outputs by task name."""
        features = through(self.features, self.encoder(inputs))
        outputs = {}
        for name, places, fusion in zip(self.names, self.reads, self.fusions, strict=True):
            read = torch.cat([features[place] for place in places], dim=1)
            outputs[name] = self.head(name)(fusion(read).relu())
        return outputs

    def _places(self, name: str, read: Sequence[str]) -> list[int]:
        if not read:
            raise ValueError(f"reads of task {name!r} must name a task at least, got none")
        for other in read:
            if other not in self.names:
                raise ValueError(f"reads of task {name!r}: no task {other!r}; {nearest(other, self.names)}")
        return [self.names.index(other) for other in read]


def _share(own: float, is_own: bool, read: int, reads_own: bool) -> float:
    """What a task's features count at first among those that are read."""
    if not reads_own:
        return 1 / read
    if read == 1:
        return 1.0
    return own if is_own else (1 - own) / (read - 1)


def _fusion(width: int, shares: Sequence[float]) -> nn.Linear:
    """From the features side by side [N, width · read] to [N, width], at first their sum by shares."""
    fusion = nn.Linear(width * len(shares), width)
    with torch.no_grad():
        fusion.weight.copy_(torch.cat([share * torch.eye(width) for share in shares], dim=1))
        fusion.bias.zero_()
    return fusion
