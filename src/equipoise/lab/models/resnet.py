"""A small residual network for pictures.

He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, CVPR 2016, eqs. (1) and (2), section 4.2.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional


class Residual(nn.Module):
    """y = relu(F(x) + S(x)): F two convolutions 3x3, S the identity, or a convolution 1x1 where the size changes.

    Args:
        before: Channels of x.
        after: Channels of y.
        stride: 1 keeps the size, 2 halves it.
    """

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        """[N, after, H / stride, W / stride]."""
        return functional.relu(self.convolutions(x) + self.shortcut(x))


class ResNet(nn.Module):
    """Residual blocks, half the size and the next width from one stage to the next; the mean over space in the end.

    The CIFAR form of the paper: the first convolution keeps the size. 6n + 2 layers for three widths and n blocks.

    Args:
        widths: Channels of each stage; the last is the number of features per picture.
        blocks: n, of each stage.
        channels: Of a picture.
    """

    def __init__(self, widths: Sequence[int] = (16, 32, 64), blocks: int = 2, channels: int = 3) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(channels, widths[0], 3, padding=1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        self.blocks = nn.Sequential(
            *(
                Residual(before if number == 0 else after, after, stride=2 if place and number == 0 else 1)
                for place, (before, after) in enumerate(pairwise([widths[0], *widths]))
                for number in range(blocks)
            )
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """From [N, channels, H, W] of 0 to 255 to [N, widths[-1]]."""
        features: Tensor = self.blocks(self.first(pictures.float() / 127.5 - 1.0))
        return features.mean(dim=(2, 3))
