"""Molecules as bits: Morgan fingerprints by RDKit, computed once and kept.

Rogers, Hahn, Extended-Connectivity Fingerprints, Journal of Chemical Information and Modeling 2010.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.lab.data.cache import read_cached, write_cached


def fingerprints(smiles: Sequence[str], bits: int, radius: int, cache: Path) -> Tensor:
    """Which circular substructures up to a radius in bonds each molecule has, hashed to bits [N, bits], 0 or 1, uint8.

    Args:
        smiles: The molecules.
        bits: A multiple of 8.
        radius: 2 gives ECFP4.
        cache: A folder; what is in it is used, what is not is computed and put there, if it can be written.

    Raises:
        ValueError: If RDKit is not installed, or cannot read a molecule.
    """
    try:
        from rdkit import Chem, RDLogger, __version__
        from rdkit.Chem import rdFingerprintGenerator
    except ModuleNotFoundError as error:
        raise ValueError(f'{error.name} is missing: pip install "equipoise[cases]"') from error
    key = hashlib.sha256("\n".join([__version__, str(bits), str(radius), *smiles]).encode()).hexdigest()
    path = cache / f"fingerprints-{key[:32]}.npy"
    if (found := read_cached(path)) is not None:
        return torch.from_numpy(np.unpackbits(found, axis=1))
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=bits)
    rows = np.empty((len(smiles), bits), dtype=np.uint8)
    log: Any = RDLogger
    log.DisableLog("rdApp.*")
    try:
        for number, text in enumerate(smiles):
            molecule = Chem.MolFromSmiles(text, sanitize=False)
            if molecule is None or not text:
                raise ValueError(f"molecule {number + 1} is no SMILES: {text!r}")
            # an aluminium with five bonds is in Tox21: the check of valences alone is left out
            Chem.SanitizeMol(molecule, Chem.SANITIZE_ALL ^ Chem.SANITIZE_PROPERTIES)
            rows[number] = generator.GetFingerprintAsNumPy(molecule)
    finally:
        log.EnableLog("rdApp.*")
    write_cached(np.packbits(rows, axis=1), path)
    return torch.from_numpy(rows)
