"""UW-SO: UW's optimal weights, tamed by a softmax with a temperature.

Kirchdorfer et al., Analytical Uncertainty-Based Loss Weighting in Multi-Task Learning, GCPR 2024
(arXiv:2408.07985), section 3.
"""

import torch
from torch import Tensor

from equipoise.arguments import within
from equipoise.method import Weighting
from equipoise.weighting.signs import positive


class UWSO(Weighting):
    """weight_k = softmax_k(1 / (temperature loss_k)), held fixed in the gradient.

    The weights sum to 1, as in the paper. They depend on the losses' units, in which the temperature is one over
    a loss: tune it, as the paper does. A user's weight scales the task's term and does not enter the softmax. Every
    loss must be positive.

    Args:
        temperature: Positive; a large one makes the weights equal, a small one leaves the smallest loss alone.
    """

    is_mean = True  # the weights sum to one

    def __init__(self, temperature: float = 1.0) -> None:
        super().__init__()
        within("(0, inf]", temperature=temperature)
        self.temperature = temperature

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        raw = positive(losses.detach(), tasks, self) / self.preferred(tasks).to(losses.device)
        return torch.sum(torch.softmax(1 / (self.temperature * raw), dim=0) * losses)
