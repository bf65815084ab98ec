"""A small encoder of a table's rows: numbers, categories and text side by side, through a perceptron."""

import torch
from torch import Tensor, nn

from equipoise.lab.models.stages import Stage

Inputs = tuple[Tensor, Tensor, tuple[Tensor, Tensor]]  # numbers, categories, bags


class RowEncoder(nn.Module):
    """z = relu(W_2 relu(W_1 [numbers, e(categories), mean_i(e_i)] + b_1) + b_2), with dropout between.

    Args:
        num_numbers: Numbers of a row, D; 0 and more, as all three.
        num_categories: Numbers that all category columns use together; there are C columns.
        category_columns: C.
        num_words: N-grams of the text.
        hidden: Numbers per row that come out.
        width: Numbers per category.
        word_width: Numbers per n-gram.
        dropout: Share of numbers dropped before each layer but of the inputs' numbers, 0 to 1.
    """

    def __init__(
        self,
        num_numbers: int,
        num_categories: int,
        category_columns: int,
        num_words: int,
        *,
        hidden: int = 64,
        width: int = 8,
        word_width: int = 48,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.categories = nn.Embedding(num_categories, width) if category_columns else None
        self.words = nn.EmbeddingBag(num_words, word_width, mode="mean") if num_words else None
        if self.words is not None:
            nn.init.normal_(self.words.weight, std=0.1)  # as BagOfEmbeddings does, for its reason
        size = num_numbers + width * category_columns + (word_width if num_words else 0)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential(
            nn.Linear(size, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, hidden), nn.ReLU()
        )

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The two layers, the first after the vectors."""
        first, second = self.layers[:2], self.layers[2:]
        return (lambda inputs: first(self._row(inputs)), second)

    def forward(self, inputs: Inputs) -> Tensor:
        """From numbers [N, D], categories [N, C] and bags as ``join_bags`` makes them, to [N, hidden]."""
        representation: Tensor = self.layers(self._row(inputs))
        return representation

    def _row(self, inputs: Inputs) -> Tensor:
        numbers, categories, bags = inputs
        parts = [numbers]
        if self.categories is not None:
            parts.append(self.dropout(self.categories(categories).flatten(1)))
        if self.words is not None:
            parts.append(self.dropout(self.words(*bags)))
        return torch.cat(parts, dim=1)
