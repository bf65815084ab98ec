"""From pictures, and what is drawn like one, to vectors."""

import torch
from torch import Tensor, nn

from equipoise.lab.models.encoders import Part

_WIDTHS = (16, 32, 64)
_AT_ONCE = 64


class PictureVector(nn.Module):
    """[mean, maximum] over space of four convolutions; the first three each halve the size.

    Each is normalised over the batch and rectified. So 64x64 pixels take 6 million multiplications.

    Args:
        channels: Of a picture.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        small, middle, large = _WIDTHS
        self.layers = nn.Sequential(
            *_convolution(channels, small, size=5, stride=2),
            *_convolution(small, middle, size=3, stride=2),
            *_convolution(middle, large, size=3, stride=2),
            *_convolution(large, large, size=3, stride=1),
        )
        self.width = 2 * large  # numbers per picture that come out

    def forward(self, pictures: Tensor) -> Tensor:
        """From [N, P, channels, H, W] of 0 to 255, P pictures of a row, to [N, P * width]."""
        flat = pictures.flatten(0, 1)
        # a batch is normalised as a whole; else pieces need a fraction of the memory
        pieces = [flat] if self.training else flat.split(_AT_ONCE)
        vectors = torch.cat([self._vectors(piece) for piece in pieces])
        rows: Tensor = vectors.unflatten(0, pictures.shape[:2]).flatten(1)
        return rows

    def _vectors(self, pictures: Tensor) -> Tensor:
        features = self.layers(pictures.float() / 127.5 - 1.0)
        return torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)


def picture_part(columns: int, channels: int, *, dropout: float = 0.2) -> Part:
    """From so many pictures of each row to a ``PictureVector`` for each, with the same weights for all."""
    vector = PictureVector(channels)
    return nn.Sequential(vector, nn.Dropout(dropout)), vector.width * columns


def _convolution(before: int, after: int, size: int, stride: int) -> tuple[nn.Module, ...]:
    layer = nn.Conv2d(before, after, size, stride, padding=size // 2, bias=False)
    return layer, nn.BatchNorm2d(after), nn.ReLU()
