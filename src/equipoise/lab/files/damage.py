"""What is wrong with a file or a machine and not with what was asked for."""

from pathlib import Path

import torch


class DamagedError(ValueError):
    """A file that is not as it was written.

    Args:
        path: The file.
        what: What is wrong with it.
        delete: What to delete so that it is made anew; None: the file.
    """

    def __init__(self, path: Path, what: str, *delete: Path) -> None:
        which = " and ".join(map(str, delete)) if delete else "it"
        super().__init__(f"{path} {what}: delete {which}; the command that made the folder makes it anew")
        self.delete = delete or (path,)


def is_passing(error: BaseException | None) -> bool:
    """Whether an error, or what led to it, is want of disk or memory or a damaged file: no fault of the settings.

    >>> is_passing(OSError(28, "No space left on device")), is_passing(ValueError("alpha must be positive"))
    (True, False)
    """
    while error is not None:
        allocating = isinstance(error, RuntimeError) and "allocate memory" in str(error)  # the CPU's, in torch
        if allocating or isinstance(error, OSError | MemoryError | DamagedError | torch.OutOfMemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False
