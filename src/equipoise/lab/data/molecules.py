"""Molecules as bits, the substructures that they have, and as numbers, their properties."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.lab.data.folder import cached

Place = Callable[[int], str]
DESCRIPTORS = (
    *("ExactMolWt", "TPSA", "LabuteASA", "FractionCSP3", "NumHBD", "NumHBA", "NumHeteroatoms"),
    *("NumRotatableBonds", "NumRings", "NumAromaticRings"),
    *("CrippenLogP", "CrippenMR"),
)


def _numbered(number: int) -> str:
    return f"molecule {number + 1}"


def fingerprints(smiles: Sequence[str], bits: int, radius: int, cache: Path, place: Place = _numbered) -> Tensor:
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
    rdkit = _rdkit()
    generator = rdkit.Chem.rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=bits)

    def compute() -> np.ndarray:
        rows = [np.packbits(generator.GetFingerprintAsNumPy(one)) for one in _molecules(smiles, place)]
        return np.stack(rows)

    packed = cached(cache, "fingerprints", [rdkit.__version__, str(bits), str(radius), *smiles], compute)
    return torch.from_numpy(np.unpackbits(packed, axis=1))


def descriptors(smiles: Sequence[str], cache: Path, place: Place = _numbered) -> Tensor:
    """``DESCRIPTORS`` of each molecule [N, 12], float32; by RDKit.

    Arguments and errors are those of ``fingerprints``.
    """
    rdkit = _rdkit()
    rd = rdkit.Chem.rdMolDescriptors
    calculate = [getattr(rd, f"Calc{name}") for name in DESCRIPTORS[:-2]]

    def compute() -> np.ndarray:
        rows = [[*(of(one) for of in calculate), *rd.CalcCrippenDescriptors(one)] for one in _molecules(smiles, place)]
        return np.array(rows, dtype=np.float32)

    return torch.from_numpy(cached(cache, "descriptors", [rdkit.__version__, *DESCRIPTORS, *smiles], compute))


def _molecules(smiles: Sequence[str], place: Place) -> Iterator[Any]:
    """Those that can be read; in the end an error for those that cannot."""
    rdkit, wrong = _rdkit(), []
    chem = rdkit.Chem
    checks = chem.SANITIZE_ALL ^ chem.SANITIZE_PROPERTIES  # but for valences: Tox21 has aluminium with five bonds
    with rdkit.rdBase.BlockLogs():
        for number, text in enumerate(smiles):
            molecule = chem.MolFromSmiles(text, sanitize=False)
            if molecule is None or not text or chem.SanitizeMol(molecule, checks, catchErrors=True):
                wrong.append(number)
            else:
                yield molecule
    if wrong:
        more = f", nor are {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise ValueError(
            f"{place(wrong[0])} is no SMILES: {smiles[wrong[0]]!r}{more}: correct them, or remove their rows"
        )


def _rdkit() -> Any:
    try:
        import rdkit
        import rdkit.Chem.rdFingerprintGenerator
        import rdkit.Chem.rdMolDescriptors
        import rdkit.rdBase
    except ModuleNotFoundError as error:
        raise ValueError(f'{error.name} is missing: pip install "equipoise[molecules]"') from error
    return rdkit
