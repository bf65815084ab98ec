"""Columns whose cells stand for something else: molecules as SMILES, paths to pictures and sounds."""

import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
SOUNDS = (".wav", ".flac", ".ogg", ".mp3")
_LOOKED_AT = 200  # different cells
_FEWEST = 5
# atoms in brackets or of the organic subset, bonds, branches, ring closures
_SMILES = re.compile(r"(\[[^\[\]\s]+\]|Br|Cl|[BCNOSPFI]|[bcnosp]|[-=#$:/\\.()]|%\d\d|\d)+")
_BOND = re.compile(r"[=#()\[]")  # which hardly any code or name has


def guess_input(cells: Iterable[str], folder: Path | None) -> tuple[str, str] | None:
    """``"smiles"``, ``"image"`` or ``"audio"``, and why a column is that; None: it is nothing of the kind.

    Args:
        cells: Of the column, each once; the first 200 that are not empty are looked at.
        folder: Where paths begin; None: nothing is a path.
    """
    looked_at = list(islice(filter(None, cells), _LOOKED_AT))
    if len(looked_at) < _FEWEST:
        return None
    for kind, endings in (("image", PICTURES), ("audio", SOUNDS)):
        if folder is not None and all(cell.lower().endswith(endings) for cell in looked_at):
            there = sum((folder / cell).is_file() for cell in looked_at)
            if there >= 0.9 * len(looked_at):
                return kind, f"paths to {'pictures' if kind == 'image' else 'sounds'}, such as {looked_at[0]}"
    if all(map(_SMILES.fullmatch, looked_at)) and 5 * sum(map(_has_bond, looked_at)) >= len(looked_at):
        return ("smiles", f"molecules, such as {looked_at[0]}") if _are_molecules(looked_at) else None
    return None


def _has_bond(cell: str) -> bool:
    return _BOND.search(cell) is not None


def _are_molecules(cells: list[str]) -> bool:
    """Whether RDKit reads nearly all of them; where it is not installed, what looks so is taken for it."""
    try:
        from rdkit import Chem, rdBase
    except ModuleNotFoundError:
        return True
    with rdBase.BlockLogs():
        return sum(Chem.MolFromSmiles(cell) is not None for cell in cells) >= 0.9 * len(cells)
