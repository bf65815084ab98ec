"""Rows of a table as a data set, and as batches."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from equipoise.lab.cases.row_inputs import FittedInputs
from equipoise.lab.cases.target import Rows


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
