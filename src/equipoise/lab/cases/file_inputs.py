"""Inputs of a table that are files: pictures and sounds."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from equipoise.lab.cases.row_inputs import FileOptions, FittedInputs, RowInputs, digest_of, require_filled
from equipoise.lab.data.folder import cache_folder, cached
from equipoise.lab.data.pictures import read_picture
from equipoise.lab.data.sounds import BANDS, HOP, RATE, duration, log_mel, read_sound
from equipoise.lab.data.table import Table
from equipoise.lab.models.pictures import picture_part

LONGEST = 5.0  # seconds of sounds, unless said
MOST_BYTES = 4 * 2**30  # of pictures or sounds, which are held in memory
_READING = "1"  # another text wherever the same files are read to something else


class FilesInCells(RowInputs):
    """Files whose paths, from the table's folder on, are in the cells; all of an empty cell is 0."""

    def __init__(self, table: Table, columns: Sequence[str], files: FileOptions) -> None:
        super().__init__(table, columns, files)
        self.paths = [self._paths(column) for column in columns]
        self.digests = [[digest_of(path.read_bytes()) if path else "" for path in paths] for paths in self.paths]
        self.content = digest_of(*(digest.encode() for column in self.digests for digest in column))

    def row_keys(self) -> list[list[str]]:
        return self.digests

    def _paths(self, column: str) -> list[Path | None]:
        paths = [self.files.folder / cell if cell else None for cell in self.table.cells(column)]
        wrong = [row for row, path in enumerate(paths) if path and not path.is_file()]
        if wrong:
            place, cell = self.table.place(wrong[0], column), self.table.cells(column)[wrong[0]]
            more = f" ({len(wrong)} such cells)" if len(wrong) > 1 else ""
            raise ValueError(
                f"{place}: {cell!r} is no file in {self.files.folder.resolve()}{more}: a path is relative to the "
                "table's folder; correct it, or empty the cell"
            )
        return paths

    def _read(self, read: Callable[[Path], np.ndarray], shape: tuple[int, ...], how: str) -> Tensor:
        """All files [N, columns, *shape], uint8."""
        size = len(self.table) * len(self.columns) * int(np.prod(shape))
        if size > MOST_BYTES:
            raise ValueError(
                f"{', '.join(self.columns)} of {self.table.name}: {how} of {len(self.table)} rows are "
                f"{size / 2**30:.1f} GiB in memory, more than {MOST_BYTES / 2**30:.0f}: choose less by --image-size or "
                "--seconds, or give fewer rows"
            )

        def compute() -> np.ndarray:
            found = np.zeros((len(self.table), len(self.columns), *shape), dtype=np.uint8)
            for place, (column, paths) in enumerate(zip(self.columns, self.paths, strict=True)):
                for row, path in ((row, path) for row, path in enumerate(paths) if path):
                    try:
                        found[row, place] = read(path)
                    except ValueError as error:
                        raise ValueError(f"{self.table.place(row, column)}: {error}") from None
            return found

        name, depends_on = type(self).__name__.lower(), [_READING, how, self.content]
        return torch.from_numpy(cached(cache_folder(), name, depends_on, compute))


class Pictures(FilesInCells):
    """Pictures, scaled to a square, through convolutions."""

    def fit(self, train: Sequence[int]) -> FittedInputs:
        require_filled(self.table, self.columns, train)
        size = self.files.image_size
        how = f"{size}x{size} pixels"
        rows = self._read(
            lambda path: read_picture(path, size, size, draft=True).transpose(2, 0, 1), (3, size, size), how
        )
        return FittedInputs(
            rows,
            lambda: picture_part(len(self.columns), 3),
            how,
            lambda row: dict(zip(self.columns, rows[row].movedim(1, 3), strict=True)),
        )


class Sounds(FilesInCells):
    """Log-mel spectrograms of a length through the convolutions of pictures."""

    def fit(self, train: Sequence[int]) -> FittedInputs:
        require_filled(self.table, self.columns, train)
        seconds = self.files.seconds
        if seconds is None:
            there = [path for paths in self.paths for row in train if (path := paths[row])]
            seconds = min(LONGEST, max(map(duration, there)))
        seconds = round(seconds * RATE) / RATE
        how = f"the first {seconds:.3g} s"
        shape = 1, BANDS, round(seconds * RATE) // HOP + 1
        rows = self._read(lambda path: log_mel(read_sound(path, seconds))[None].numpy(), shape, how)
        return FittedInputs(
            rows,
            lambda: picture_part(len(self.columns), 1),
            how,
            lambda row: dict(zip(self.columns, rows[row, :, 0].flip(1), strict=True)),
        )
