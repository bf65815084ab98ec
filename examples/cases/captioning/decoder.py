"""The decoder: an LSTM that looks at the picture before each word, by soft attention.

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


class State(NamedTuple):
    """Of the LSTM, [N, R, H] each."""

    hidden: Tensor
    cell: Tensor


class CaptionDecoder(nn.Module):
    """p(word_t) ∝ exp(L_o (E word_{t-1} + L_h h_t + L_z z_t)), with h_t of an LSTM that reads word_{t-1} and z_t.

    z_t is what soft attention by h_{t-1} sees, times a gate sigmoid(W h_{t-1}); h_0 comes from the mean over the
    picture (Xu et al. 2015, eq. (7), sections 3.1.2 and 4.2.1). Each place has its coordinates, since captions
    speak of them.

    Args:
        channels: Of the feature map.
        vocabulary_size: V.
        end: The number of the word that ends a caption, which also stands before the first.
        width: H, an even number; attention matches on half as many.
        dropout: Share of numbers dropped before the logits while training, 0 to 1.
    """

    def __init__(self, channels: int, vocabulary_size: int, end: int, width: int = 128, dropout: float = 0.2) -> None:
        super().__init__()
        features = channels + 2  # and its coordinates
        self.end = end
        self.embedding = nn.Embedding(vocabulary_size, width)
        self.attention = SoftAttention(features, width, width // 2)
        self.start = nn.Linear(features, 2 * width)
        self.gate = nn.Linear(width, features)
        self.cell = nn.LSTMCell(width + features, width)
        self.from_hidden = nn.Linear(width, width)
        self.from_context = nn.Linear(features, width)
        self.logits = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, vocabulary_size))

    def begin(self, feature_map: Tensor, captions: int) -> tuple[State, Memory]:
        """The state before the first word, for so many captions R of each picture, and what will be looked at.

        ``feature_map`` is [N, channels, h, w].
        """
        places = torch.cat([feature_map, _coordinates(feature_map)], dim=1).flatten(2).transpose(1, 2)
        first = torch.tanh(self.start(places.mean(dim=1)))[:, None].expand(-1, captions, -1)
        return State(*first.chunk(2, dim=-1)), self.attention.remember(places)

    def step(self, words: Tensor, state: State, memory: Memory) -> tuple[Tensor, State, Tensor]:
        """What the logits of the next words are read from [N, R, H], the next state, the weights of places [N, R, L].

        Args:
            words: The last ones [N, R], int64; ``end`` before the first.
            state: After the words before.
            memory: Of the picture.
        """
        context, weights = self.attention(state.hidden, memory)
        context = torch.sigmoid(self.gate(state.hidden)) * context
        embedded = self.embedding(words)
        seen = torch.cat([embedded, context], dim=-1).flatten(0, 1)
        moved = self.cell(seen, (state.hidden.flatten(0, 1), state.cell.flatten(0, 1)))
        state = State(*(part.unflatten(0, words.shape) for part in moved))
        return embedded + self.from_hidden(state.hidden) + self.from_context(context), state, weights

    def forward(self, feature_map: Tensor, captions: Tensor) -> Tensor:
        """The logits [N, R, T, V] of each word of captions [N, R, T], given the picture and the words before it.

        Captions hold numbers of words; after the end, anything that is negative.
        """
        before = captions.roll(1, dims=2)
        before[:, :, 0] = self.end
        before[before < 0] = self.end
        state, memory = self.begin(feature_map, captions.shape[1])
        read = []
        for words in before.unbind(dim=2):
            features, state, _ = self.step(words, state, memory)
            read.append(features)
        logits: Tensor = self.logits(torch.stack(read, dim=2))
        return logits


def _coordinates(feature_map: Tensor) -> Tensor:
    """Of every place x and y, -1 to 1 from edge to edge [N, 2, h, w]."""
    count, _, height, width = feature_map.shape
    x, y = (
        (2 * torch.arange(side, dtype=feature_map.dtype, device=feature_map.device) + 1) / side - 1
        for side in (width, height)
    )
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)]).expand(count, -1, -1, -1)
