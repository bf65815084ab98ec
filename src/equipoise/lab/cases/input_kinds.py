"""The kinds of inputs of a table by name."""

from collections.abc import Mapping

from equipoise.lab.cases.file_inputs import Pictures, Sounds
from equipoise.lab.cases.row_inputs import (
    Categories,
    MoleculeDescriptors,
    Molecules,
    Numbers,
    RowInputs,
    Texts,
    Vectors,
)

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
