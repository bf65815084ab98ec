"""Picture files as pixels."""

from pathlib import Path
from typing import Any

import numpy as np


def read_picture(path: Path, height: int, width: int, *, nearest: bool = False, draft: bool = False) -> np.ndarray:
    """The picture scaled to a size, RGB, uint8 [height, width, 3]; turned as its camera says.

    Args:
        path: Any file that Pillow reads.
        height: In pixels.
        width: In pixels; the sides may be scaled differently.
        nearest: Take pixels as they are, where colours are labels, instead of means over areas.
        draft: Decode a JPEG at the smallest of 1/8, 1/4, 1/2 that is no smaller than the size: a large one in a
            fraction of the time.

    Raises:
        ValueError: If the file is no picture, its channels have more than 8 bits, or Pillow is not installed.
    """
    image, turned = _pillow()
    try:
        with image.open(path) as picture:
            if picture.mode[0] in "IF":
                raise ValueError(f"{path} has more than 8 bits for a pixel's channel: save it with 8")
            if draft:
                picture.draft("RGB", (width, height))
            resampling = image.Resampling.NEAREST if nearest else image.Resampling.BOX
            return np.array(turned(picture).convert("RGB").resize((width, height), resampling))
    except (OSError, image.DecompressionBombError) as error:  # what is no picture is an OSError too
        raise ValueError(f"{path} is no picture: {error}") from None


def write_jpeg(pixels: np.ndarray, path: Path) -> None:
    """Write RGB, uint8 [height, width, 3], nearly as it is: full colour, quality 95.

    Raises:
        ValueError: If Pillow is not installed.
    """
    image, _ = _pillow()
    image.fromarray(pixels).save(path, quality=95, subsampling=0)


def _pillow() -> tuple[Any, Any]:
    try:
        from PIL import Image, ImageOps
    except ModuleNotFoundError as error:
        raise ValueError(f'{error.name} is missing: pip install "equipoise[pictures]"') from error
    return Image, ImageOps.exif_transpose
