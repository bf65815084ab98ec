"""From a table's numbers to vectors.

Gorishniy, Rubachev, Babenko, On Embeddings for Numerical Features in Tabular Deep Learning, NeurIPS 2022.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from equipoise.lab.models.encoders import Part


class PeriodicEmbedding(nn.Module):
    """e(x) = relu(W [cos v, sin v] + b), v = 2 pi c x: a vector for each number x, c its column's own, W and b shared.

    Section 3.3: "PLR", as "lite" as in the authors' package, where columns share W and b.

    Args:
        columns: D.
        width: Numbers of e(x).
        frequencies: Numbers of c, drawn from a normal distribution.
        deviation: Its standard deviation; that of standardised numbers is 1.
    """

    def __init__(self, columns: int, width: int, frequencies: int = 16, deviation: float = 0.1) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(torch.randn(columns, frequencies) * deviation)
        self.linear = nn.Linear(2 * frequencies, width)

    def forward(self, numbers: Tensor) -> Tensor:
        """From [N, D] to [N, D * width]."""
        angles = 2 * torch.pi * self.frequencies * numbers.unsqueeze(2)
        vectors: Tensor = F.relu(self.linear(torch.cat([angles.cos(), angles.sin()], dim=2)))
        return vectors.flatten(1)


class PiecewiseLinearEncoding(nn.Module):
    """t_i(x) = (x - a_i) / (a_i+1 - a_i), cut to 0 to 1, for each bin from a_i to a_i+1 of a column's numbers x.

    Section 3.2, eq. (1); there the first bin and the last extend beyond their edges.

    Args:
        edges: Of each column a_0 < a_1 < ... [B_d + 1].
    """

    columns: Tensor
    begins: Tensor
    ends: Tensor

    def __init__(self, edges: Sequence[Tensor]) -> None:
        super().__init__()
        counts = torch.tensor([len(of_column) - 1 for of_column in edges])
        self.register_buffer("columns", torch.arange(len(edges)).repeat_interleave(counts))
        self.register_buffer("begins", torch.cat([of_column[:-1] for of_column in edges]))
        self.register_buffer("ends", torch.cat([of_column[1:] for of_column in edges]))
        self.width = len(self.columns)

    def forward(self, numbers: Tensor) -> Tensor:
        """From [N, D] to [N, width], the sum of all B_d."""
        return ((numbers[:, self.columns] - self.begins) / (self.ends - self.begins)).clamp(0, 1)


class EncodedNumbers(nn.Module):
    """[e(x), t(x)]: of some columns both encodings.

    Args:
        columns: Which [E], int64.
        edges: Of each, as ``PiecewiseLinearEncoding`` takes them.
        width: Numbers of e(x).
    """

    columns: Tensor

    def __init__(self, columns: Tensor, edges: Sequence[Tensor], width: int) -> None:
        super().__init__()
        self.register_buffer("columns", columns)
        self.periodic = PeriodicEmbedding(len(columns), width)
        self.linear = PiecewiseLinearEncoding(edges)
        self.width = width * len(columns) + self.linear.width

    def forward(self, numbers: Tensor) -> Tensor:
        """From [N, D] to [N, width]."""
        numbers = numbers[:, self.columns]
        return torch.cat([self.periodic(numbers), self.linear(numbers)], dim=1)


class NumberPart(nn.Module):
    """[x / sqrt(1 + (x / 3)²), encoded x]: numbers, softly cut to -3 to 3, and of some columns encodings beside.

    The cut is that of Holzmüller, Grinsztajn, Steinwart, Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on
    Tabular Data, NeurIPS 2024 (RealMLP). What is encoded is not cut, to separate numbers that lie far out.

    Args:
        encoded: Encodings, or None.
    """

    def __init__(self, encoded: EncodedNumbers | None) -> None:
        super().__init__()
        self.encoded = encoded

    def forward(self, numbers: Tensor) -> Tensor:
        """From [N, D] to [N, D + width]."""
        cut = numbers / (1 + (numbers / 3).square()).sqrt()
        return cut if self.encoded is None else torch.cat([cut, self.encoded(numbers)], dim=1)


def number_part(numbers: int, columns: Tensor, edges: Sequence[Tensor], *, width: int = 8) -> Part:
    """From numbers [N, numbers] to these, and two encodings of some columns [E], int64, in bins with these edges."""
    encoded = EncodedNumbers(columns, edges, width) if len(columns) else None
    return NumberPart(encoded), numbers + (encoded.width if encoded else 0)
