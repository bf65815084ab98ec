"""VQGAN's adaptive weight: let the adversarial gradient be as long as the reconstruction's.

Esser, Rombach, Ommer, Taming Transformers for High-Resolution Image Synthesis, CVPR 2021, eq. (7); ``gramian_from``
the last layer of the decoder.
"""

import torch
from torch import Tensor

from equipoise.arguments import task_index, whole_number, within
from equipoise.method import Aggregator


class VQGAN(Aggregator):
    """weight of the adversarial task = min(|g_rec| / |g_adv|, largest), 1 for all others.

    The norms are those of the losses without the users' weights: a user's weight of the adversarial task is the
    fraction of the reconstruction's gradient that it shall have. A ratio needs no epsilon: where g_adv is zero the
    weight is 1, and moves nothing; where g_rec is zero or absent it is 0.

    Args:
        reconstruction: The index of the reconstruction task.
        adversarial: The index of the adversarial task.
        largest: Bound of the weight; the official code has 10⁴.
    """

    user_weight = "preference"

    def __init__(self, reconstruction: int = 0, adversarial: int = 1, largest: float = 1e4) -> None:
        whole_number(0, reconstruction=reconstruction, adversarial=adversarial)
        within("(0, inf]", largest=largest)
        if reconstruction == adversarial:
            raise ValueError(f"reconstruction and adversarial must differ, got {reconstruction} and {adversarial}")
        super().__init__()
        self.reconstruction = reconstruction
        self.adversarial = adversarial
        self.largest = largest

    def bind(self, num_tasks: int) -> None:
        task_index(num_tasks, reconstruction=self.reconstruction, adversarial=self.adversarial)

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        norms = gramian.diagonal().sqrt() / self.preferred(tasks)
        is_adversarial = (tasks == self.adversarial) & (norms > 0)
        reference = norms[tasks == self.reconstruction].sum()
        return torch.where(is_adversarial, (reference / norms).clamp(max=self.largest), 1.0)
