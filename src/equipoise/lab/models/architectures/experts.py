"""Experts and gates, of which MMoE, CGC and PLE are made."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Expert(nn.Sequential):
    """f(x) = relu(W x + b), as wide as its input."""

    def __init__(self, width: int) -> None:
        super().__init__(nn.Linear(width, width), nn.ReLU())


class Gate(nn.Module):
    """sum_i g_i(x) f_i, g(x) = softmax(W x): a mixture that depends on the sample.

    Args:
        width: Numbers per sample.
        experts: How many features are mixed.
    """

    def __init__(self, width: int, experts: int) -> None:
        super().__init__()
        self.scores = nn.Linear(width, experts, bias=False)

    def weights(self, x: Tensor) -> Tensor:
        """g(x) [N, experts], which sum to 1, from x [N, width]."""
        weights: Tensor = self.scores(x).softmax(dim=1)
        return weights

    def forward(self, x: Tensor, features: Sequence[Tensor]) -> Tensor:
        """The mixture [N, D] of the experts' features, each [N, D]."""
        return torch.einsum("ne,end->nd", self.weights(x), torch.stack(list(features)))


def make_experts(width: int, count: int) -> nn.ModuleList:
    """So many experts."""
    return nn.ModuleList(Expert(width) for _ in range(count))


def through(experts: nn.Module, x: Tensor) -> list[Tensor]:
    """The features of every one of the experts that ``make_experts`` made."""
    return [expert(x) for expert in experts.children()]
