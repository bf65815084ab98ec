"""A case from a table: which columns are predicted, and from which."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from equipoise.lab.cases.case import Case
from equipoise.lab.cases.row_inputs import INPUT_KINDS, FittedInputs, RowInputs
from equipoise.lab.cases.target import LabelledTarget, Rows, Splits, make_target
from equipoise.lab.data.columns import Target, expand_inputs, expand_targets, is_pattern
from equipoise.lab.data.split import SPLITS, split_of
from equipoise.lab.data.table import Table, read_header, read_table
from equipoise.lab.diagnostics import Diagnostic, cards, labelled_together, worst_samples
from equipoise.lab.models.encoders import RowEncoder
from equipoise.lab.models.heads import SharedEncoder
from equipoise.tasks import Tasks

HIDDEN = 64
NAMED = 3  # columns of many that a title names


class TableRows(Dataset[int]):
    """Some rows of a table, by their numbers."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> int:
        return self.rows[index]


@dataclass(frozen=True)
class TableBatches:
    """Rows of a table as a batch, by their numbers [M]: inputs by kind, as a ``RowEncoder`` takes them, and targets."""

    inputs: Mapping[str, FittedInputs]
    targets: Mapping[str, Tensor]

    def __call__(self, rows: Rows) -> tuple[dict[str, Any], dict[str, Tensor]]:
        chosen = torch.tensor(rows)
        inputs = {kind: fitted.rows[chosen] for kind, fitted in self.inputs.items()}
        return inputs, {name: labels[chosen] for name, labels in self.targets.items()}


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
        group: A column: rows with the same cell in it are in the same split. None: rows with the same inputs are.
        delimiter: As ``read_table`` takes it.

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

    def __post_init__(self) -> None:
        if any(map(is_pattern, (*(target.column for target in self.targets), *self.inputs))):
            self._expand()
        columns = [target.column for target in self.targets]
        if not columns:
            raise ValueError("nothing to predict: name a target, such as --target rating:regression")
        if not self.inputs:
            raise ValueError("nothing to predict from: name columns, by --text, --number or --category")
        for column, count in Counter([*columns, *self.inputs]).items():
            if column in columns and column in self.inputs:
                raise ValueError(f"column {column!r} is a target and an input: leave it out of the inputs")
            if count > 1:
                raise ValueError(f"column {column!r} is named twice")

    def _expand(self) -> None:
        """Put the columns of the file in place of patterns."""
        path = Path(self.path)
        header = read_header(path, self.delimiter)
        targets = expand_targets(self.targets, header, path.name)
        others = [*(target.column for target in targets), *([self.group] if self.group else [])]
        for field, value in {"targets": targets, **expand_inputs(self._inputs, header, path.name, others)}.items():
            object.__setattr__(self, field, value)

    @property
    def _inputs(self) -> dict[str, tuple[str, ...]]:
        """Columns to predict from by kind."""
        return {"text": self.text, "number": self.number, "category": self.category}

    @property
    def inputs(self) -> tuple[str, ...]:
        """All columns to predict from."""
        return tuple(column for columns in self._inputs.values() for column in columns)

    @property
    def options(self) -> dict[str, Any]:
        """What makes two cases on the same data different."""
        return {
            "file": Path(self.path).name,
            "target": [str(target) for target in self.targets],
            **{kind: list(columns) for kind, columns in self._inputs.items()},
            "group": self.group,
            "delimiter": self.delimiter,
        }

    def __call__(self) -> Case:
        """Read the file and make the case.

        Raises:
            ValueError: If the file is no table, or a cell is not of its column's kind.
        """
        table = read_table(Path(self.path), self.delimiter)
        for column in (*(target.column for target in self.targets), *self.inputs):
            table.cells(column)
        inputs = {kind: INPUT_KINDS[kind](table, columns) for kind, columns in self._inputs.items() if columns}
        splits = self._split(table, inputs)
        made = {target.column: make_target(target, table, splits) for target in self.targets}
        fitted = {kind: inputs[kind].fit(splits["train"]) for kind in INPUT_KINDS if kind in inputs}
        targets = {name: target.labels for name, target in made.items()}
        return Case(
            name=table.name.split(".")[0] or table.name,
            title=f"{table.name}: {_listed(list(made))} from {_listed(self.inputs)}",
            tasks=Tasks([target.task for target in made.values()]),
            data={split: TableRows(rows) for split, rows in splits.items()},
            collate=TableBatches(fitted, targets),
            model=_model_maker(fitted, made),
            metrics={name: target.metrics for name, target in made.items()},
            batch_size=_batch_size(len(splits["train"])),
            learning_rate=3e-3,
            weight_decay=0.01,
            epochs=30,
            data_hash=table.data_hash,
            diagnostics=self._diagnostics(table, made),
            losses={name: target.losses for name, target in made.items() if len(target.losses) > 1},
        )

    def _title(self, table: Table, row: int) -> str:
        """Which row of the file, and its text."""
        texts = [text for column in self.text if (text := table.cells(column)[row])]
        return " · ".join([f"row {table.first_row + row}", *texts])

    def _diagnostics(self, table: Table, targets: Mapping[str, LabelledTarget]) -> tuple[Diagnostic, ...]:
        """What each target shows, the rows with its largest losses, and which targets share rows."""
        words = {column: target.words for column, target in targets.items()}
        describe = cards(words, lambda seen, place: self._title(table, seen.samples.rows[place]))
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


def _model_maker(inputs: Mapping[str, FittedInputs], targets: Mapping[str, LabelledTarget]) -> Any:
    def make_model(task_names: Sequence[str]) -> nn.Module:
        encoder = RowEncoder({kind: fitted.make_part() for kind, fitted in inputs.items()}, hidden=HIDDEN)
        heads = {name: target.make_head(HIDDEN) for name, target in targets.items()}
        return SharedEncoder(encoder, {name: heads[name] for name in task_names})

    return make_model


def _batch_size(rows: int) -> int:
    """A power of two from 16 to 256, about a hundredth of the rows."""
    return int(2 ** min(8, max(4, (rows // 100).bit_length())))


def _listed(names: Sequence[str]) -> str:
    """All of a few; of many the first and how many more."""
    more = len(names) - NAMED
    shown = list(names) if more < 2 else [*names[:NAMED], f"{more} more"]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
