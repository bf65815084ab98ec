"""A small U-Net whose encoder other heads can share.

Ronneberger, Fischer, Brox, U-Net: Convolutional Networks for Biomedical Image Segmentation, MICCAI 2015. Maas, Hannun,
Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models, ICML 2013 workshops: what is left below zero.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class ConvEncoder(nn.Module):
    """Two convolutions at each scale, half the size and the next width from one to the next.

    Args:
        widths: Channels at each scale, the full size first.
        channels: Channels of a picture.
    """

    def __init__(self, widths: Sequence[int], channels: int = 3) -> None:
        super().__init__()
        self.scales = nn.ModuleList(_block(before, after) for before, after in pairwise([channels, *widths]))

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """From [N, channels, H, W] of 0 to 255 to the features [N, widths[i], H / 2^i, W / 2^i] at each scale i."""
        features = pictures.float() / 127.5 - 1.0
        scales = []
        for number, block in enumerate(self.scales):
            features = block(functional.max_pool2d(features, 2) if number else features)
            scales.append(features)
        return scales


class MaskHead(nn.Module):
    """From the features at all scales back to the full size: enlarge, set beside what was there, convolve.

    Args:
        widths: Those of the encoder.
        classes: Logits per pixel.
        rectifier: Makes what follows a normalisation. Behind ``nn.ReLU`` a pixel whose few channels are all below zero
            says no more than the last bias, and learns nothing.
    """

    def __init__(self, widths: Sequence[int], classes: int, rectifier: Callable[[], nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.steps = nn.ModuleList(
            _block(deep + wide, wide, rectifier) for wide, deep in reversed(list(pairwise(widths)))
        )
        self.logits = nn.Conv2d(widths[0], classes, 1)

    def forward(self, scales: Sequence[Tensor]) -> Tensor:
        """Logits [N, classes, H, W]."""
        features = scales[-1]
        for step, beside in zip(self.steps, reversed(scales[:-1]), strict=True):
            enlarged = functional.interpolate(features, size=beside.shape[2:], mode="nearest")
            features = step(torch.cat([enlarged, beside], dim=1))
        logits: Tensor = self.logits(features)
        return logits


class PooledHead(nn.Module):
    """A linear head on the mean and the maximum over space of the deepest features.

    Args:
        width: Channels of the deepest features.
        outputs: Numbers per picture.
        dropout: Share of numbers dropped while training, 0 to 1.
    """

    def __init__(self, width: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * width, outputs))

    def forward(self, scales: Sequence[Tensor]) -> Tensor:
        """[N, outputs]."""
        deepest = scales[-1]
        outputs: Tensor = self.layers(torch.cat([deepest.mean(dim=(2, 3)), deepest.amax(dim=(2, 3))], dim=1))
        return outputs


def _block(before: int, after: int, rectifier: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    return nn.Sequential(
        *(
            layer
            for channels in (before, after)
            for layer in (nn.Conv2d(channels, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), rectifier())
        )
    )
