"""Tox21: molecules as SMILES, and which of twelve assays they are active in.

Mayr et al., DeepTox, Frontiers in Environmental Science 2016; the table is that of MoleculeNet (Wu et al., Chemical
Science 2018): the assays' columns, ``mol_id`` and ``smiles``, an empty cell where an assay was not measured.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from equipoise.lab.data.columns import read_columns
from equipoise.lab.data.folder import data_folder

ASSAYS = (
    *("NR-AR", "NR-AR-LBD", "NR-AhR", "NR-Aromatase", "NR-ER", "NR-ER-LBD", "NR-PPAR-gamma"),
    *("SR-ARE", "SR-ATAD5", "SR-HSE", "SR-MMP", "SR-p53"),
)
SOURCE = "tox21.csv.gz is MoleculeNet's, see moleculenet.org/datasets-1"


@dataclass(frozen=True)
class Molecules:
    """SMILES, and labels [N, 12]: 1 active, 0 not, NaN not measured."""

    smiles: list[str]
    labels: Tensor


def tox21_file(folder: Path | None = None) -> Path:
    """The table in a folder, by default in ``tox21/`` of the folder that ``EQUIPOISE_DATA`` names.

    Raises:
        ValueError: If the folder is not there.
    """
    return data_folder("tox21", SOURCE, folder) / "tox21.csv.gz"


def read_tox21(path: Path) -> Molecules:
    """The molecules of the table, in its order.

    Raises:
        ValueError: If the file is not of that form, or a label is neither 0, 1 nor empty.
    """
    columns = read_columns(path, [*ASSAYS, "smiles"])
    values = torch.tensor([0.0, 1.0, torch.nan])
    labels = [values[columns[assay].places(("0", "1", ""))] for assay in ASSAYS]
    return Molecules(columns["smiles"].texts(), torch.stack(labels, dim=1))
