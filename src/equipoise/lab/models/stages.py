"""An encoder as a sequence of stages, between which some architectures let tasks differ."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Stage = Callable[[Any], Any]


def stages_of(encoder: nn.Module) -> tuple[Stage, ...]:
    """What the encoder names as its ``stages``, which one after another are the whole; else the whole as one stage."""
    return tuple(getattr(encoder, "stages", (encoder,)))


@torch.no_grad()
def widths_of(encoder: nn.Module, inputs: Any) -> tuple[int, ...]:
    """How many numbers per sample come out of each stage, found on a batch; the encoder is left in training mode.

    Raises:
        ValueError: If a stage gives anything but [N, D].
    """
    encoder.eval()
    widths, features = [], inputs
    for stage in stages_of(encoder):
        features = stage(features)
        if not isinstance(features, Tensor) or features.ndim != 2:
            got = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
            raise ValueError(
                f"{type(encoder).__name__} gives {got}, where one vector per sample [N, D] is needed: pool it, or "
                "share it as it is"
            )
        widths.append(features.shape[1])
    encoder.train()
    return tuple(widths)
