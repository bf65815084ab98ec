"""One encoder, one head per task."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class SharedEncoder(nn.Module):
    """Every task's head reads the same representation."""

    def __init__(self, encoder: nn.Module, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.encoder = encoder
        self.heads = nn.ModuleDict(heads)

    def forward(self, inputs: Any) -> dict[str, Tensor]:
        """The outputs by task name."""
        representation = self.encoder(inputs)
        return {name: head(representation) for name, head in self.heads.items()}


def scalar_head(features: int, offset: float = 0.0) -> nn.Sequential:
    """A linear head from [N, features] to [N], with values around ``offset`` before training."""
    linear = nn.Linear(features, 1)
    with torch.no_grad():
        linear.bias.add_(offset)
    return nn.Sequential(linear, nn.Flatten(start_dim=0))
