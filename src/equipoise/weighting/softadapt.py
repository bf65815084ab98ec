"""SoftAdapt: the largest weight for the loss that rises fastest, or falls slowest.

Heydari, Thompson, Mehmood, SoftAdapt: Techniques for Adaptive Loss Weighting of Neural Networks with Multi-Part
Loss Functions, arXiv:1912.12355, 2019, section 3.1.
"""

import torch
from torch import Tensor

from equipoise.arguments import whole_number
from equipoise.method import Weighting
from equipoise.weighting.signs import non_negative


class SoftAdapt(Weighting):
    """weight_k = f_k exp(beta s_k) / sum_i f_i exp(beta s_i), s_k the slope of loss_k over its last steps; f_k = 1.

    The weights sum to 1, as in the paper, and are equal until every task has had ``window`` finite losses; losses that
    are not finite are left out.

    Args:
        beta: Positive favours the worst slope, negative the best; 0 makes the weights equal (up to f_k).
        normalised: Replace s_k by s_k / sum_i |s_i|, which does not depend on the losses' units.
        loss_weighted: Take f_k = the mean of the last ``window`` losses, which must then not be negative.
        window: How many losses a slope is fitted to, by least squares, in steps; 2 is the difference of the last two.
            A longer one is less noisy where the losses of batches vary.
    """

    is_mean = True  # the weights sum to one

    def __init__(
        self, beta: float = 0.1, normalised: bool = False, loss_weighted: bool = False, window: int = 2
    ) -> None:
        super().__init__()
        whole_number(2, window=window)
        self.beta = beta
        self.normalised = normalised
        self.loss_weighted = loss_weighted
        self.window = window

    def bind(self, num_tasks: int) -> None:
        times = torch.arange(self.window) - (self.window - 1) / 2
        self.register_buffer("slope_filter", times / times.square().sum(), persistent=False)  # history @ it = slopes
        self.register_buffer("history", torch.full((num_tasks, self.window), torch.nan))

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        values = (losses.detach() / self.preferred(tasks)).to(self.history)  # slopes without the users' weights
        if self.loss_weighted:
            values = non_negative(values, tasks, self)
        past = self.history[tasks]
        shifted = torch.cat([past[:, 1:], values[:, None]], dim=1)
        self.history[tasks] = past = shifted.where(values.isfinite()[:, None], past)
        slopes = past @ self.slope_filter  # NaN until the window is full
        if self.normalised:
            total_slope = slopes.abs().sum()
            slopes = slopes / total_slope.where(total_slope > 0, 1.0)
        exponents = self.beta * slopes
        factors = torch.exp(exponents - exponents.max())
        if self.loss_weighted:
            factors = factors * past.mean(dim=1)
        total = factors.sum()  # NaN until all windows are full; 0 if all f_k are
        return torch.sum((factors / total).where(total > 0, 1 / len(losses)) * losses)
