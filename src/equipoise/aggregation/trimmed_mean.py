"""Trimmed mean: in every coordinate, average what is left without the extremes.

Yin et al., Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates, ICML 2018, definition 2.
"""

import torch
from torch import Tensor

from equipoise.aggregation.pieces import pieces
from equipoise.arguments import whole_number
from equipoise.method import CoordinateAggregator

_FEW = 16  # extremes on each side, up to which comparing rows is faster than sorting along their short side


class TrimmedMean(CoordinateAggregator):
    """gradient_p = the mean of g_1p … g_Kp without the b largest and the b smallest, b = min(trim, (K - 1) // 2).

    A mean, as in the paper, not a sum: K equal gradients give that gradient. K counts the tasks present,
    and with few of them at least the middle one or two are kept. With ``trim=0`` it is the plain mean.
    """

    is_mean = True

    def __init__(self, trim: int = 1) -> None:
        whole_number(0, trim=trim)
        super().__init__()
        self.trim = trim

    def bind(self, num_tasks: int) -> None:
        if 2 * self.trim >= num_tasks:
            raise ValueError(f"trim={self.trim} leaves none of {num_tasks} tasks: take less than half of their number")

    def forward(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        return trimmed_mean(jacobian, min(self.trim, (len(jacobian) - 1) // 2))


def trimmed_mean(rows: Tensor, trim: int) -> Tensor:
    """The mean [P] of each column of rows [K, P] without its ``trim`` largest and smallest numbers, 2 trim < K."""
    put_apart = _compared if trim <= _FEW else _sorted
    kept = (put_apart(rows[:, piece], trim)[trim : len(rows) - trim] for piece in pieces(rows))
    return torch.cat([some.mean(dim=0) for some in kept])


def _compared(rows: Tensor, trim: int) -> Tensor:
    """Rows with the extremes of each column at the ends, by comparing whole rows, two at a time."""
    by_row, last = list(rows), len(rows) - 1
    for done in range(trim):
        for i in (*range(done, last - done), *range(last - done - 2, done - 1, -1)):  # the largest up, the least down
            by_row[i : i + 2] = torch.minimum(*by_row[i : i + 2]), torch.maximum(*by_row[i : i + 2])
    return torch.stack(by_row)


def _sorted(rows: Tensor, _: int) -> Tensor:
    return rows.sort(dim=0).values
