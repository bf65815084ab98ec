"""Tox21: from a molecule's fingerprint to its activity in twelve assays; one label in six is missing.

Mayr et al., DeepTox, Frontiers in Environmental Science 2016; the table is that of MoleculeNet (Wu et al., Chemical
Science 2018): the assays' columns, ``mol_id`` and ``smiles``, an empty cell where an assay was not measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from equipoise.lab.cases.case import Case
from equipoise.lab.cases.usual_losses import binary_losses
from equipoise.lab.data.arrays import Arrays, join
from equipoise.lab.data.cells import places
from equipoise.lab.data.folder import cache_folder, data_folder, data_hash
from equipoise.lab.data.molecules import fingerprints
from equipoise.lab.data.split import split_of
from equipoise.lab.data.table import read_table
from equipoise.lab.diagnostics import label_cooccurrence, label_table, labelled_together
from equipoise.lab.models.encoders import MLP
from equipoise.lab.models.heads import SharedEncoder, scalar_head
from equipoise.task import Task
from equipoise.tasks import Tasks

ASSAYS = (
    *("NR-AR", "NR-AR-LBD", "NR-AhR", "NR-Aromatase", "NR-ER", "NR-ER-LBD", "NR-PPAR-gamma"),
    *("SR-ARE", "SR-ATAD5", "SR-HSE", "SR-MMP", "SR-p53"),
)
SOURCE = "tox21.csv.gz is MoleculeNet's, see moleculenet.org/datasets-1"
_BITS, _RADIUS, _HIDDEN, _DROPOUT = 1024, 2, 512, 0.5
_SHARES = (0.8, 0.1, 0.1)


@dataclass(frozen=True)
class AssayedMolecules:
    """SMILES, and labels [N, 12]: 1 active, 0 not, NaN not measured."""

    smiles: list[str]
    labels: Tensor


def read_tox21(path: Path) -> AssayedMolecules:
    """The molecules of the table, in its order.

    Raises:
        ValueError: If the file is not of that form, or a label is neither 0, 1 nor empty.
    """
    table, values = read_table(path), torch.tensor([0.0, 1.0, torch.nan])
    labels = [values[places(table, assay, ("0", "1", ""))] for assay in ASSAYS]
    return AssayedMolecules(table.cells("smiles"), torch.stack(labels, dim=1))


def tox21(folder: Path | None = None, *, salt: str = "") -> Case:
    """Random splits of 80 / 10 / 10 percent, as MoleculeNet has them; a molecule that occurs twice is in one of them.

    Args:
        folder: That of ``tox21.csv.gz``; by default see ``data_folder``.
        salt: Another text gives other random splits.

    Raises:
        ValueError: If the file or RDKit is missing, or the file is not as it should be.
    """
    path = data_folder("tox21", SOURCE, folder) / "tox21.csv.gz"
    molecules = read_tox21(path)
    every = Arrays(
        fingerprints(molecules.smiles, _BITS, _RADIUS, cache_folder()),
        dict(zip(ASSAYS, molecules.labels.unbind(dim=1), strict=True)),
    )
    splits = every.by_split([split_of(salt + smiles, _SHARES) for smiles in molecules.smiles])

    def make_model(task_names: Sequence[str]) -> nn.Module:
        encoder = MLP(_BITS, [_HIDDEN], _DROPOUT)
        heads = {name: scalar_head(_HIDDEN) for name in ASSAYS}
        return SharedEncoder(encoder, {name: heads[name] for name in task_names})

    known = {assay: binary_losses(labels) for assay, labels in splits["train"].targets.items()}
    tasks = Tasks([Task(assay, known[assay]["bce"]()) for assay in ASSAYS])
    return Case(
        name="tox21",
        title="Tox21: activity of molecules in twelve assays",
        tasks=tasks,
        data=splits,
        collate=join,
        model=make_model,
        metrics={assay: ["auroc"] for assay in ASSAYS},
        batch_size=128,
        learning_rate=1e-3,
        weight_decay=0.01,
        epochs=20,
        data_hash=data_hash([path]),
        diagnostics=(label_table(ASSAYS, ASSAYS), label_cooccurrence(ASSAYS, ASSAYS), labelled_together(ASSAYS)),
        losses=known,
        features=lambda split: np.asarray(splits[split].inputs),
    )
