"""One encoder, one head per task."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class SharedEncoder(nn.Module):
    """Every task's head reads the same representation.

    Args:
        encoder: From inputs to the representation.
        heads: From the representation to a task's output, by task name, whatever the name.
    """

    def __init__(self, encoder: nn.Module, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.encoder = encoder
        self.heads = nn.ModuleDict({_key(name): head for name, head in heads.items()})
        self.names = tuple(heads)

    def forward(self, inputs: Any) -> dict[str, Tensor]:
        """The outputs by task name."""
        representation = self.encoder(inputs)
        return {name: head(representation) for name, head in zip(self.names, self.heads.values(), strict=True)}

    def head(self, name: str) -> nn.Module:
        """The head of a task."""
        return self.heads[_key(name)]


def _key(name: str) -> str:
    """The task's name, or one that a ``ModuleDict`` takes: it has no points and none of its own attributes."""
    if name.isidentifier() and not hasattr(nn.ModuleDict(), name):
        return name
    return f"task {name.replace('%', '%25').replace('.', '%2E')}"


def scalar_head(features: int, offset: float = 0.0) -> nn.Sequential:
    """A linear head from [N, features] to [N], with values around ``offset`` before training."""
    linear = nn.Linear(features, 1)
    with torch.no_grad():
        linear.bias.add_(offset)
    return nn.Sequential(linear, nn.Flatten(start_dim=0))
