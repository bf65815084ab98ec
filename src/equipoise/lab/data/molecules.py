"""Molecules as bits: the substructures that they have."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.lab.data.folder import cached


def fingerprints(
    smiles: Sequence[str],
    bits: int,
    radius: int,
    cache: Path,
    place: Callable[[int], str] = lambda number: f"molecule {number + 1}",
) -> Tensor:
    """Which circular substructures up to a radius in bonds each molecule has, hashed to bits [N, bits], 0 or 1, uint8.

    Rogers, Hahn, Extended-Connectivity Fingerprints, Journal of Chemical Information and Modeling 2010; by RDKit.

    Args:
        smiles: The molecules.
        bits: A multiple of 8.
        radius: 2 gives ECFP4.
        cache: A folder; what is in it is used, what is not is computed and put there, if it can be written.
        place: Where molecule i is, for messages.

    Raises:
        ValueError: If RDKit is not installed, or cannot read a molecule.
    """
    try:
        from rdkit import Chem, RDLogger, __version__
        from rdkit.Chem import rdFingerprintGenerator
    except ModuleNotFoundError as error:
        raise ValueError(f'{error.name} is missing: pip install "equipoise[molecules]"') from error

    def compute() -> np.ndarray:
        generator = rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=bits)
        rows = np.empty((len(smiles), bits), dtype=np.uint8)
        wrong = []
        log: Any = RDLogger
        log.DisableLog("rdApp.*")
        try:
            for number, text in enumerate(smiles):
                molecule = Chem.MolFromSmiles(text, sanitize=False)
                # an aluminium with five bonds is in Tox21: the check of valences alone is left out
                checks = Chem.SANITIZE_ALL ^ Chem.SANITIZE_PROPERTIES
                if molecule is None or not text or Chem.SanitizeMol(molecule, checks, catchErrors=True):
                    wrong.append(number)
                else:
                    rows[number] = generator.GetFingerprintAsNumPy(molecule)
        finally:
            log.EnableLog("rdApp.*")
        if wrong:
            more = f", nor are {len(wrong) - 1} more" if len(wrong) > 1 else ""
            raise ValueError(
                f"{place(wrong[0])} is no SMILES: {smiles[wrong[0]]!r}{more}: correct them, or remove their rows"
            )
        return np.packbits(rows, axis=1)

    packed = cached(cache, "fingerprints", [__version__, str(bits), str(radius), *smiles], compute)
    return torch.from_numpy(np.unpackbits(packed, axis=1))
