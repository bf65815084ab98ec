"""A small detector without anchors on the encoder of a U-Net: an object is the cell that holds its centre.

Zhou, Wang, Krähenbühl, Objects as Points, 2019: a heat map per class. Tian et al., FCOS, ICCV 2019: boxes as distances
from their cells. Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, sec. 4.1: how rare objects are at first.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from equipoise.lab.models.heads import SharedEncoder
from equipoise.lab.models.unet import MaskHead

_RARE = 0.01  # probability of an object in a cell before training


class HeatHead(nn.Module):
    """Logits of each class's centres, at the cells of one scale; at first all are rare.

    Args:
        widths: Channels of the encoder at the scale of the cells and below.
        classes: C.
    """

    def __init__(self, widths: Sequence[int], classes: int) -> None:
        super().__init__()
        self.scales = len(widths)
        self.layers = MaskHead(widths, classes)
        nn.init.constant_(_bias(self.layers), math.log(_RARE / (1 - _RARE)))

    def forward(self, scales: Sequence[Tensor]) -> Tensor:
        """From the features at all scales to [N, C, h, w]."""
        logits: Tensor = self.layers(scales[-self.scales :])
        return logits


class SidesHead(nn.Module):
    """Distances left, top, right, bottom, in pixels, from a cell to the sides of its box: usual · softplus(z) / log 2.

    Args:
        widths: As above.
        usual: The distances before training [4], positive.
    """

    usual: Tensor

    def __init__(self, widths: Sequence[int], usual: Tensor) -> None:
        super().__init__()
        self.scales = len(widths)
        self.layers = MaskHead(widths, 4)
        nn.init.zeros_(_bias(self.layers))
        self.register_buffer("usual", usual.clone())

    def forward(self, scales: Sequence[Tensor]) -> Tensor:
        """From the features at all scales to [N, 4, h, w], positive."""
        ratio = functional.softplus(self.layers(scales[-self.scales :])) / math.log(2)
        return self.usual[:, None, None] * ratio


class Detector(nn.Module):
    """One encoder, one head per task; what the heat maps find is given the boxes of the other head.

    Args:
        encoder: From pictures to the features at all scales.
        heads: By task name; those of the heat maps and the boxes are called "class" and "box".
        usual: Distances [4] that stand for the boxes where no head predicts them.
    """

    usual: Tensor

    def __init__(self, encoder: nn.Module, heads: Mapping[str, nn.Module], usual: Tensor) -> None:
        super().__init__()
        self.network = SharedEncoder(encoder, heads)
        self.register_buffer("usual", usual.clone())

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """Outputs by task name; "class" is [N, C + 4, h, w], the heat maps and then distances without a gradient."""
        outputs: dict[str, Tensor] = self.network(pictures)
        if "class" in outputs:
            heat = outputs["class"]
            usual = self.usual[:, None, None].expand(len(heat), 4, *heat.shape[2:])
            sides = outputs["box"].detach() if "box" in outputs else usual
            outputs["class"] = torch.cat([heat, sides], dim=1)
        return outputs


def _bias(head: MaskHead) -> Tensor:
    bias = head.logits.bias
    assert bias is not None
    return bias
