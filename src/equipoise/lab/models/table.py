"""An encoder of the columns of a table."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from equipoise.lab.models.mlp import MLP
from equipoise.lab.models.stages import Stage


class TableEncoder(nn.Module):
    """An MLP of [a vector for each category, each number as it is].

    Args:
        sizes: How many categories each column of categories has; category 0 is one that was not seen in training,
            and its vector is 0.
        numbers: How many columns of numbers there are.
        width: Numbers per category.
        widths: Those of the MLP.
        dropout: Share of numbers dropped after each layer while training, 0 to 1.
    """

    starts: Tensor

    def __init__(self, sizes: Sequence[int], numbers: int, width: int, widths: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sum(sizes), width, padding_idx=0)
        self.register_buffer("starts", torch.tensor([0, *sizes[:-1]]).cumsum(dim=0))
        self.mlp = MLP(len(sizes) * width + numbers, widths, dropout)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The layers of the MLP, the first after the vectors."""
        first, *others = self.mlp.stages
        return (lambda inputs: first(self._row(inputs)), *others)

    def forward(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        """From categories [N, columns], integers from 0, and numbers [N, columns] to [N, widths[-1]]."""
        representation: Tensor = self.mlp(self._row(inputs))
        return representation

    def _row(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        categories, numbers = inputs
        rows = (categories + self.starts).masked_fill(categories == 0, 0)
        return torch.cat([self.embedding(rows).flatten(1), numbers], dim=1)
