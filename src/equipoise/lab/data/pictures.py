"""Picture files as pixels."""

from pathlib import Path
from typing import Any

import numpy as np


def read_picture(path: Path, height: int, width: int, *, nearest: bool = False) -> np.ndarray:
    """The picture scaled to a size, RGB, uint8 [height, width, 3].

    Args:
        path: Any file that Pillow reads.
        height: In pixels.
        width: In pixels; the sides may be scaled differently.
        nearest: Take pixels as they are, where colours are labels, instead of means over areas.

    Raises:
        ValueError: If the file is no picture, or Pillow is not installed.
    """
    image = _pillow()
    try:
        with image.open(path) as picture:
            resampling = image.Resampling.NEAREST if nearest else image.Resampling.BOX
            return np.array(picture.convert("RGB").resize((width, height), resampling))
    except OSError as error:  # what is no picture is one too
        raise ValueError(f"{path} is no picture: {error}") from None


def write_jpeg(pixels: np.ndarray, path: Path) -> None:
    """Write RGB, uint8 [height, width, 3], nearly as it is: full colour, quality 95.

    Raises:
        ValueError: If Pillow is not installed.
    """
    _pillow().fromarray(pixels).save(path, quality=95, subsampling=0)


def _pillow() -> Any:
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise ValueError(f'{error.name} is missing: pip install "equipoise[cases]"') from error
    return Image
