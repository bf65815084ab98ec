"""Where a warning points: at the line of the user's loop."""

import os
import sys
import warnings
from pathlib import Path

import torch

_LIBRARIES = tuple(str(folder) + os.sep for folder in (Path(__file__).parents[1], Path(torch.__file__).parent))


def warn(message: str) -> None:
    """Warn at the innermost line that is neither ours nor PyTorch's; in a thread of autograd's, here."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_LIBRARIES):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level + 1)
