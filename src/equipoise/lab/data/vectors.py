"""Vectors that were computed beforehand, a row of an .npy file for each row of a table."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from equipoise.lab.data.table import Table

if TYPE_CHECKING:
    from torch import Tensor


def read_vectors(path: Path, table: Table) -> np.ndarray:
    """The array of an .npy file, a vector for each row of the table [N, D], float32.

    Raises:
        ValueError: If there is no such file, or it holds no such array of finite numbers.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {str(path)!r} (looked in {path.resolve().parent})")
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{path} is no .npy file of numbers: {error}") from None
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind not in "fiub":
        got = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else "an archive"
        raise ValueError(f"{path} must hold an array of numbers [rows, D], got {got}")
    if len(array) != len(table) or not array.shape[1]:
        raise ValueError(
            f"{path} holds an array {list(array.shape)}, and {table.name} has {len(table)} rows: it needs a row for "
            "each, in the table's order"
        )
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        row, column = wrong[0]
        raise ValueError(f"{path} row {row}, column {column} (from 0): {array[row, column]} is not finite in float32")
    return array


def vectors_beside(folder: Path, rows: int) -> dict[str, int]:
    """The .npy files of a folder with an array [rows, D], by name: their D."""
    found = {}
    for path in sorted(folder.glob("*.npy")):
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError):  # of another kind, so not of this table
            continue
        if array.ndim == 2 and len(array) == rows and array.dtype.kind in "fiub":
            found[path.name] = array.shape[1]
    return found


def scaled_vectors(vectors: "Tensor", train: Sequence[int]) -> "Tensor":
    """Columns with mean 0 and standard deviation 1 on the training rows [N, D], float32.

    A column that is constant there is 0, and so is a NaN, which is missing.
    """
    values = vectors.double()
    centred = values - values[list(train)].nanmean(dim=0)
    deviation = centred[list(train)].square().nanmean(dim=0).sqrt()
    return (centred / deviation).masked_fill((deviation == 0) | values.isnan(), 0.0).float()
