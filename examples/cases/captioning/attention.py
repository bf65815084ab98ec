"""Soft attention: which places of a picture count for the next word.

Bahdanau, Cho, Bengio, Neural Machine Translation by Jointly Learning to Align and Translate, ICLR 2015, eq. (6).
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Memory(NamedTuple):
    """What is attended to: places [N, L, D], and their keys [N, L, A], made once for all words."""

    places: Tensor
    keys: Tensor


class SoftAttention(nn.Module):
    """weights = softmax_i(v · tanh(W a_i + U h)), context = Σ_i weights_i a_i.

    Args:
        features: D.
        state: H.
        width: A, of v.
    """

    def __init__(self, features: int, state: int, width: int) -> None:
        super().__init__()
        self.key = nn.Linear(features, width)
        self.query = nn.Linear(state, width, bias=False)
        self.score = nn.Linear(width, 1, bias=False)

    def remember(self, places: Tensor) -> Memory:
        """Places [N, L, D] with their keys."""
        return Memory(places, self.key(places))

    def forward(self, state: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Context [N, R, D] and weights [N, R, L], which sum to 1, for states [N, R, H]."""
        match = torch.tanh(memory.keys[:, None] + self.query(state)[:, :, None])
        weights = self.score(match).squeeze(-1).softmax(dim=-1)
        return weights @ memory.places, weights
