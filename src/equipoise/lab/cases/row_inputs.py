"""Kinds of inputs of a table: how columns are read, fitted on the training rows, and turned into vectors."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from equipoise.lab.data.features import bagged_texts, coded_categories, scaled_numbers, with_many_values
from equipoise.lab.data.folder import cache_folder, cached
from equipoise.lab.data.molecules import descriptors, fingerprints
from equipoise.lab.data.pictures import read_picture
from equipoise.lab.data.sounds import BANDS, HOP, RATE, duration, log_mel, read_sound
from equipoise.lab.data.table import Table
from equipoise.lab.data.text import Bags, words
from equipoise.lab.data.vectors import read_vectors, scaled_vectors
from equipoise.lab.models.encoders import Part, bits_part, category_part, number_part, text_part
from equipoise.lab.models.pictures import picture_part

BITS, RADIUS = 2048, 2
LONGEST = 5.0  # seconds of sounds, unless said
_READING = "1"  # another text wherever the same files are read to something else
MOST_BYTES = 4 * 2**30  # of pictures or sounds, which are held in memory


@dataclass(frozen=True)
class FileOptions:
    """How files that a table names are read.

    Args:
        folder: The table's, where paths in cells begin.
        image_size: Pixels of a picture's sides.
        seconds: Of a sound; None: of the longest of the training rows, at most 5.
    """

    folder: Path
    image_size: int = 64
    seconds: float | None = None


@dataclass(frozen=True)
class FittedInputs:
    """The inputs of one kind of all rows of a table, fitted on the training rows.

    Args:
        rows: Indexed by rows [M], int64, it gives a batch of these.
        make_part: Makes the part of a ``RowEncoder`` that takes such a batch; draws from torch's generator.
        note: How the inputs were made, where that is not always the same.
        pictures: Of a row to show, [H, W, 3] or, in grey, [H, W], uint8, by caption; None: there are none.
    """

    rows: Tensor | Bags
    make_part: Callable[[], Part]
    note: str = ""
    pictures: Callable[[int], dict[str, Tensor]] | None = None


class RowInputs:
    """Columns of one kind as inputs.

    Args:
        table: The table.
        columns: Of it, all of this kind.
        files: How files that they name are read.
    """

    content = ""  # SHA-256 in hexadecimal of what is not in the table's own file

    def __init__(self, table: Table, columns: Sequence[str], files: FileOptions) -> None:
        self.table, self.columns, self.files = table, columns, files

    def row_keys(self) -> list[list[str]]:
        """For each column a text for each row [N], the same where two rows are the same to this kind."""
        return [self.table.cells(column) for column in self.columns]

    def fit(self, train: Sequence[int]) -> FittedInputs:
        """The inputs of all rows, where what has to be fitted sees the rows ``train`` only.

        Raises:
            ValueError: If a cell is not of this kind.
        """
        raise NotImplementedError


class Numbers(RowInputs):
    """Standardised numbers, and a vector for each where a column has more than two values."""

    def fit(self, train: Sequence[int]) -> FittedInputs:
        rows = scaled_numbers(self.table, self.columns, train)
        embedded = with_many_values(rows[list(train)])
        return FittedInputs(rows, lambda: number_part(rows.shape[1], embedded))


class Categories(RowInputs):
    """A vector for each value."""

    def fit(self, train: Sequence[int]) -> FittedInputs:
        rows, categories = coded_categories(self.table, self.columns, train)
        return FittedInputs(rows, lambda: category_part(categories, len(self.columns)))


class Texts(RowInputs):
    """The sum of the vectors of all columns' n-grams."""

    def row_keys(self) -> list[list[str]]:
        return [[" ".join(words(cell)) for cell in cells] for cells in super().row_keys()]

    def fit(self, train: Sequence[int]) -> FittedInputs:
        rows, frequencies = bagged_texts(self.table, self.columns, train)
        return FittedInputs(rows, lambda: text_part(frequencies))


class Molecules(RowInputs):
    """The fingerprint of a SMILES, of 2,048 bits, through a layer."""

    def __init__(self, table: Table, columns: Sequence[str], files: FileOptions) -> None:
        super().__init__(table, columns, files)
        self.bits = torch.stack([self._bits(column) for column in columns], dim=1)

    def row_keys(self) -> list[list[str]]:
        return [[_digest(row.numpy().tobytes()) for row in column] for column in self.bits.unbind(1)]

    def fit(self, train: Sequence[int]) -> FittedInputs:
        return FittedInputs(self.bits, lambda: bits_part(BITS * len(self.columns)))

    def _bits(self, column: str) -> Tensor:
        smiles = self.table.cells(column)
        return fingerprints(smiles, BITS, RADIUS, cache_folder(), lambda row: self.table.place(row, column))


class MoleculeDescriptors(RowInputs):
    """Properties of a SMILES, such as weight, logP and polar surface; standardised."""

    def row_keys(self) -> list[list[str]]:
        return []  # the fingerprints' do

    def fit(self, train: Sequence[int]) -> FittedInputs:
        rows = torch.cat([scaled_vectors(self._of(column), train) for column in self.columns], dim=1)
        return FittedInputs(rows, lambda: (nn.Identity(), rows.shape[1]))

    def _of(self, column: str) -> np.ndarray:
        return descriptors(self.table.cells(column), cache_folder(), lambda row: self.table.place(row, column))


class Vectors(RowInputs):
    """The rows of arrays in .npy files, standardised."""

    def __init__(self, table: Table, columns: Sequence[str], files: FileOptions) -> None:
        super().__init__(table, columns, files)
        self.arrays = [read_vectors(Path(path), table) for path in columns]
        self.content = _digest(*(Path(path).read_bytes() for path in columns))

    def row_keys(self) -> list[list[str]]:
        return [[_digest(row.tobytes()) for row in array] for array in self.arrays]

    def fit(self, train: Sequence[int]) -> FittedInputs:
        rows = torch.cat([scaled_vectors(array, train) for array in self.arrays], dim=1)
        return FittedInputs(rows, lambda: (nn.Identity(), rows.shape[1]))


class FilesInCells(RowInputs):
    """Files whose paths, from the table's folder on, are in the cells."""

    def __init__(self, table: Table, columns: Sequence[str], files: FileOptions) -> None:
        super().__init__(table, columns, files)
        self.paths = [self._paths(column) for column in columns]
        self.digests = [[_digest(path.read_bytes()) for path in paths] for paths in self.paths]
        self.content = _digest(*(digest.encode() for column in self.digests for digest in column))

    def row_keys(self) -> list[list[str]]:
        return self.digests

    def _paths(self, column: str) -> list[Path]:
        paths = [self.files.folder / cell for cell in self.table.cells(column)]
        wrong = [row for row, path in enumerate(paths) if not path.is_file()]
        if wrong:
            place, cell = self.table.place(wrong[0], column), self.table.cells(column)[wrong[0]]
            more = f" ({len(wrong)} such cells)" if len(wrong) > 1 else ""
            raise ValueError(
                f"{place}: {cell!r} is no file in {self.files.folder.resolve()}{more}: a path is relative to the "
                "table's folder; correct it, or remove the row"
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
            found = np.empty((len(self.table), len(self.columns), *shape), dtype=np.uint8)
            for place, (column, paths) in enumerate(zip(self.columns, self.paths, strict=True)):
                for row, path in enumerate(paths):
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
        seconds = self.files.seconds
        if seconds is None:
            seconds = min(LONGEST, max(duration(paths[row]) for paths in self.paths for row in train))
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


def _digest(*contents: bytes) -> str:
    digest = hashlib.sha256()
    for content in contents:
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


# by option, and the descriptors of --smiles; a row's vectors are side by side in this order
INPUT_KINDS: Mapping[str, type[RowInputs]] = {
    "number": Numbers,
    "category": Categories,
    "text": Texts,
    "smiles": Molecules,
    "descriptors": MoleculeDescriptors,
    "image": Pictures,
    "audio": Sounds,
    "vectors": Vectors,
}
