"""CoV weighting: a loss matters as long as it still varies, relative to its mean.

Groenendijk et al., Multi-Loss Weighting with Coefficient of Variations, WACV 2021, section 3.
"""

import torch
from torch import Tensor

from equipoise.method import Weighting
from equipoise.weighting.signs import non_negative


class CoV(Weighting):
    """weight_k = c_k / sum_i c_i, c_k = deviation / mean of the ratios r_k = loss_k / its mean so far.

    Means and deviations run over all earlier steps (Welford's algorithm). The weights sum to 1, as in the paper, and
    are equal in the first two steps; a task that has had fewer steps takes the mean c of the others. Losses must
    not be negative.
    """

    is_mean = True  # the weights sum to one, whatever the state

    def bind(self, num_tasks: int) -> None:
        # of each task: its steps, the mean of its losses, the mean and the variance of its ratios
        self.register_buffer("statistics", torch.zeros(4, num_tasks))

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        values = non_negative(losses.detach(), tasks, self).to(self.statistics)
        old = self.statistics[:, tasks]
        steps, mean, ratio_mean, variance = old
        known = (steps > 1) & (ratio_mean > 0)
        coefficients = (variance.sqrt() / ratio_mean).where(known, 0.0)
        coefficients = coefficients.where(known, coefficients.sum() / known.sum())
        total = coefficients.sum()  # NaN where none is known
        weights = (coefficients / total).where(total > 0, 1 / len(losses))
        steps = steps + 1
        ratios = (values / mean).where(mean > 0, 1.0)
        new_ratio_mean = ratio_mean + (ratios - ratio_mean) / steps
        variance = variance + ((ratios - ratio_mean) * (ratios - new_ratio_mean) - variance) / steps
        new = torch.stack([steps, mean + (values - mean) / steps, new_ratio_mean, variance])
        self.statistics[:, tasks] = new.where(values.isfinite(), old)
        return torch.sum(weights * losses)
