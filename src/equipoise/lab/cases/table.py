"""A case from a table: which columns are predicted, and from which."""

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from equipoise.lab.cases.case import Case
from equipoise.lab.cases.input_kinds import INPUT_KINDS
from equipoise.lab.cases.row_inputs import FileOptions, FittedInputs, RowInputs, features_maker
from equipoise.lab.cases.table_network import members_for, model_maker, network_words
from equipoise.lab.cases.table_rows import TableBatches, TableRows
from equipoise.lab.cases.target import LabelledTarget, Splits, make_targets, require_known_cells
from equipoise.lab.data.columns import INPUT_OPTIONS, Target, expand_inputs, expand_targets, is_pattern
from equipoise.lab.data.split import SPLITS, split_of
from equipoise.lab.data.table import Table, read_header, read_table
from equipoise.lab.diagnostics import Diagnostic, Picture, Predictions, cards, labelled_together, worst_samples
from equipoise.lab.settings import a_few
from equipoise.tasks import Tasks

STEPS = 2500  # of a training, at least
EPOCHS, MOST_EPOCHS = 30, 200  # of a training, at least and at most
AVERAGE = 0.995  # of weights, over some 200 steps: a run is often best while its learning rate is still high
PATIENCE = 3  # a run stops after one in so many of its epochs without improvement
_ALWAYS = ("text", "number", "category")  # in the options of a study of before the other kinds
REASONS = 6  # of targets that cannot be trained, which a message gives in full
NAMED = 3  # columns of many that a title names


@dataclass(frozen=True)
class TableCase:
    """How to make a case of a table: call it.

    Args:
        path: The file, as ``read_table`` takes it.
        targets: What to predict. A column may be a pattern, ``Target("ATG_*", "binary")``.
        text: Columns of text to predict from; of these and the following, too, one may be a pattern: ``"fp*"`` or
            ``"all-but:id,name"`` mean all such columns that are no targets and have no other place.
        number: Columns of numbers.
        category: Columns whose cells are names.
        smiles: Columns of molecules, as SMILES.
        image: Columns of paths to pictures, from the table's folder on.
        audio: Columns of paths to sounds, likewise.
        vectors: Files .npy, each with a vector for each row of the table [N, D].
        group: A column: rows with the same cell in it are in the same split. None: rows with the same inputs are.
        delimiter: As ``read_table`` takes it.
        image_size: Pixels of a picture's sides, to which it is scaled.
        seconds: Of each sound, from its beginning; None: of the longest of the training rows, at most 5.
        missing: Cells that mean an empty one, such as ``("NA",)``. A target with another label such as null, none or
            ? is refused, unless ``""`` is among them: ``("NA", "")``, no cell but these and empty ones is missing.
        left_out: Targets from which nothing can be learned, each with why, for reports; ``usable`` sets it.

    Raises:
        ValueError: If a column is named twice, a pattern matches none, or there is nothing to predict, or nothing to
            predict from.
    """

    path: str
    targets: tuple[Target, ...]
    text: tuple[str, ...] = ()
    number: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    group: str | None = None
    delimiter: str | None = None
    smiles: tuple[str, ...] = ()
    image: tuple[str, ...] = ()
    audio: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()
    image_size: int = 64
    seconds: float | None = None
    missing: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        strangers = [target for target in self.targets if not isinstance(target, Target)]
        if isinstance(self.targets, str) or strangers:
            wrong = self.targets if isinstance(self.targets, str) else strangers[0]
            raise ValueError(f"targets must be a tuple of Target, such as (Target.parse({wrong!r}),), got {wrong!r}")
        for kind, columns_of_kind in self._columns.items():
            if isinstance(columns_of_kind, str):
                raise ValueError(f"{kind} must be a tuple of names, such as ({columns_of_kind!r},)")
        if any(map(is_pattern, (*(target.column for target in self.targets), *chain(*self._columns.values())))):
            self._expand()
        columns, inputs = [target.column for target in self.targets], self.inputs
        if not columns:
            raise ValueError("nothing to predict: name a target, such as --target rating:regression")
        if not inputs:
            raise ValueError("nothing to predict from: name columns, by --text, --number or --category")
        if self.image_size < 8:
            raise ValueError(f"image_size must be at least 8 pixels, got {self.image_size}")
        if self.seconds is not None and not 0.1 <= self.seconds <= 600:
            raise ValueError(f"seconds must be in 0.1 to 600, got {self.seconds:g}")
        for column, count in Counter([*columns, *inputs]).items():
            if column in columns and column in inputs:
                raise ValueError(f"column {column!r} is a target and an input: leave it out of the inputs")
            if count > 1:
                raise ValueError(f"column {column!r} is named twice")

    def _expand(self) -> None:
        """Put the columns of the file in place of patterns."""
        path = Path(self.path)
        header = read_header(path, self.delimiter)
        targets = expand_targets(self.targets, header, path.name)
        others = [*(target.column for target in targets), *([self.group] if self.group else [])]
        for name, value in {"targets": targets, **expand_inputs(self._columns, header, path.name, others)}.items():
            object.__setattr__(self, name, value)

    @property
    def _columns(self) -> dict[str, tuple[str, ...]]:
        """Columns to predict from by kind."""
        return {kind: getattr(self, kind) for kind in INPUT_OPTIONS}

    @property
    def inputs(self) -> tuple[str, ...]:
        """All columns and files to predict from."""
        return (*(column for columns in self._columns.values() for column in columns), *self.vectors)

    @property
    def options(self) -> dict[str, Any]:
        """What makes two cases on the same data different."""
        return {
            "file": Path(self.path).name,
            "target": [str(target) for target in self.targets],
            **{kind: list(columns) for kind, columns in self._columns.items() if columns or kind in _ALWAYS},
            **({"vectors": [Path(file).name for file in self.vectors]} if self.vectors else {}),
            **({"image-size": self.image_size} if self.image else {}),
            **({"seconds": self.seconds} if self.audio else {}),
            "group": self.group,
            "delimiter": self.delimiter,
            **({"missing": words} if (words := list(filter(None, self.missing))) else {}),
        }

    def __call__(self) -> Case:
        """Read the file and make the case.

        Raises:
            ValueError: If the file is no table, or a cell is not of its column's kind.
        """
        table, inputs, splits = self._read()
        made, useless = make_targets(self.targets, table, splits)
        if useless:
            raise ValueError(_useless(useless, len(self.targets)))
        fitted = {kind: inputs[kind].fit(splits["train"]) for kind in INPUT_KINDS if kind in inputs}
        targets = {name: target.labels for name, target in made.items()}
        batch_size = _batch_size(len(splits["train"]))
        epochs = _epochs(len(splits["train"]), batch_size)
        members = members_for(fitted, len(splits["train"]), len(made))
        return Case(
            name=table.name.split(".")[0] or table.name,
            title=f"{table.name}: {_listed(list(made))} from {_listed(self.inputs)}{_notes(fitted)}",
            tasks=Tasks([target.task for target in made.values()]),
            data={split: TableRows(rows) for split, rows in splits.items()},
            collate=TableBatches(fitted, targets),
            model=model_maker(fitted, made, members),
            network=network_words(fitted, members),
            start="labels" if any(one.wide for one in fitted.values()) else "drawn",
            metrics={name: target.metrics for name, target in made.items()},
            batch_size=batch_size,
            learning_rate=2e-3,
            weight_decay=0.01,
            epochs=epochs,
            schedule="cosine",
            average=AVERAGE,
            patience=epochs // PATIENCE,
            data_hash=_data_hash(table, inputs),
            diagnostics=self._diagnostics(table, made, fitted),
            losses={name: target.losses for name, target in made.items() if len(target.losses) > 1},
            features=features_maker(fitted, splits),
            notes=(f"Left out: {_reasons(dict(self.left_out))}.",) if self.left_out else (),
        )

    def usable(self) -> tuple["TableCase", dict[str, str]]:
        """The case without the targets from which there is nothing to learn, and why of each, by column.

        Raises:
            ValueError: If there is no other target, or the case cannot be made.
        """
        table, _, splits = self._read()
        made, useless = make_targets(self.targets, table, splits)
        if not made:
            raise ValueError(_useless(useless, len(self.targets)))
        usable = tuple(target for target in self.targets if target.column in made)
        return replace(self, targets=usable, left_out=tuple(useless.items())), useless

    def _read(self) -> tuple[Table, dict[str, RowInputs], Splits]:
        """The table, its inputs by kind, and the rows of each split."""
        table = read_table(Path(self.path), self.delimiter).emptied(self.missing)
        for column in (*(target.column for target in self.targets), *chain(*self._columns.values())):
            table.cells(column)
        named = {**self._columns, "descriptors": self.smiles, "vectors": self.vectors}
        files = FileOptions(Path(self.path).parent, self.image_size, self.seconds)
        inputs = {kind: INPUT_KINDS[kind](table, columns, files) for kind, columns in named.items() if columns}
        for target in self.targets if "" not in self.missing else ():
            require_known_cells(target, table, self.missing)
        return table, inputs, self._split(table, inputs)

    def _title(self, table: Table, row: int) -> str:
        """Which row of the file, and what stands in it to read."""
        columns = *self.text, *self.smiles, *self.image, *self.audio
        texts = [text for column in columns if (text := table.cells(column)[row])]
        return " · ".join([f"row {table.first_row + row}", *texts])

    def _diagnostics(
        self, table: Table, targets: Mapping[str, LabelledTarget], inputs: Mapping[str, FittedInputs]
    ) -> tuple[Diagnostic, ...]:
        """What each target shows, the rows with its largest losses, and which targets share rows; of many, a few."""
        targets = {column: targets[column] for column in a_few(list(targets))}
        words = {column: target.words for column, target in targets.items()}
        shown = [one.pictures for one in inputs.values() if one.pictures]

        def pictures(seen: Predictions, place: int) -> tuple[Picture, ...]:
            found = [item for show in shown for item in show(seen.samples.rows[place]).items()]
            return tuple(Picture.of(pixels, caption) for caption, pixels in found)

        describe = cards(words, lambda seen, place: self._title(table, seen.samples.rows[place]), pictures)
        return (
            *(one for target in targets.values() for one in target.diagnostics),
            *(worst_samples(column, describe) for column in targets),
            *([labelled_together(list(targets))] if len(targets) > 1 else []),
        )

    def _split(self, table: Table, inputs: Mapping[str, RowInputs]) -> Splits:
        """The rows of each split, by the content of what identifies them."""
        if self.group is None:
            keys = [key for read in inputs.values() for key in read.row_keys()]
            contents = ["\x1f".join(row) for row in zip(*keys, strict=True)]
        else:
            contents = table.cells(self.group)
            if "" in contents:
                raise ValueError(f"{table.place(contents.index(''), self.group)}: the group is empty")
        rows: dict[str, list[int]] = {split: [] for split in SPLITS}
        for index, content in enumerate(contents):
            rows[split_of(content)].append(index)
        for split in SPLITS:
            if not rows[split]:
                what = f"groups in {self.group!r}" if self.group else "different inputs"
                raise ValueError(
                    f"{table.name} has {len(table)} rows with {len(set(contents))} {what}, and none of them falls into "
                    f"the {split} split: it needs more"
                )
        return rows


def _data_hash(table: Table, inputs: Mapping[str, RowInputs]) -> str:
    """That of the table, or of it and the files that belong to it."""
    contents = [read.content for read in inputs.values() if read.content]
    return hashlib.sha256("".join([table.data_hash, *contents]).encode()).hexdigest() if contents else table.data_hash


def _useless(why: Mapping[str, str], targets: int) -> str:
    """All targets from which there is nothing to learn, and how to train the others."""
    offer = f"--drop-unusable leaves out such targets ({len(why)} of {targets})"  # in Python, ``usable``
    return _reasons(why) if len(why) == targets else f"{_reasons(why)}; {offer}"


def _reasons(why: Mapping[str, str]) -> str:
    """Why there is nothing to learn from targets, of many for some in full."""
    likewise = [f"and likewise {', '.join(list(why)[REASONS:])}"] if len(why) > REASONS else []
    return "; ".join([*list(why.values())[:REASONS], *likewise])


def _notes(inputs: Mapping[str, FittedInputs]) -> str:
    notes = [f"{kind}: {fitted.note}" for kind, fitted in inputs.items() if fitted.note]
    return f" ({'; '.join(notes)})" if notes else ""


def _batch_size(rows: int) -> int:
    """A power of two from 16 to 256, about a hundredth of the rows."""
    return int(2 ** min(8, max(4, (rows // 100).bit_length())))


def _epochs(rows: int, batch_size: int) -> int:
    """As many as ``STEPS`` steps need, within limits: a small table learns by steps, too, and epochs cost time.

    >>> _epochs(284, 16), _epochs(2048, 32), _epochs(35_000, 256)
    (139, 40, 30)
    """
    return min(MOST_EPOCHS, max(EPOCHS, math.ceil(STEPS / math.ceil(rows / batch_size))))


def _listed(names: Sequence[str]) -> str:
    """All of a few; of many the first and how many more."""
    more = len(names) - NAMED
    shown = list(names) if more < 2 else [*names[:NAMED], f"{more} more"]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
