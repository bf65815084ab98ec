import sys

import numpy as np
import pytest
import torch

from equipoise.lab.data.molecules import DESCRIPTORS, descriptors, fingerprints

pytest.importorskip("rdkit", reason="needs rdkit, of the extra molecules")


def test_bits_belong_to_the_substructures_and_not_to_the_spelling(tmp_path):
    ethanol, again, ethane, aluminium = fingerprints(["CCO", "OCC", "CC", "O[AlH3](O)O"], 1024, 2, tmp_path)
    assert torch.equal(ethanol, again)
    assert not torch.equal(ethanol, ethane)
    assert aluminium.sum() > 0  # with its five bonds
    assert set(ethanol.tolist()) == {0, 1}
    # radius 0 sees atoms only: CH3, CH2 and OH in one, CH3 in the other
    atoms = fingerprints(["CCO", "CC"], 1024, 0, tmp_path)
    assert atoms.sum(dim=1).tolist() == [3, 1]
    assert (atoms[1] <= atoms[0]).all()


def test_what_is_kept_is_what_was_computed(tmp_path):
    first = fingerprints(["CCO", "CC"], 64, 2, tmp_path / "new")
    (kept,) = (tmp_path / "new").iterdir()
    assert torch.equal(fingerprints(["CCO", "CC"], 64, 2, tmp_path / "new"), first)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [kept.name]
    for other in ((["CC", "CCO"], 64, 2), (["CCO", "CC"], 128, 2), (["CCO", "CC"], 64, 1)):
        fingerprints(*other, tmp_path / "new")
    assert len(list((tmp_path / "new").iterdir())) == 4


def test_no_molecule(tmp_path):
    for smiles in ("C1CC", "", "hello"):
        with pytest.raises(ValueError, match=f"molecule 2 is no SMILES: '{smiles}'"):
            fingerprints(["C", smiles], 64, 2, tmp_path)


def test_a_folder_that_cannot_be_written_costs_nothing_else(tmp_path):
    (tmp_path / "file").write_text("")
    assert len(fingerprints(["C"], 64, 2, tmp_path / "file")) == 1


def test_bits_are_those_of_rdkit_itself(tmp_path):
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator

    smiles = ["CC(=O)Oc1ccccc1C(=O)O", "[Na+].[Cl-]", "C1CCCCC1N"]
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    for one, bits in zip(smiles, fingerprints(smiles, 2048, 2, tmp_path), strict=True):
        assert np.array_equal(bits.numpy(), generator.GetFingerprintAsNumPy(Chem.MolFromSmiles(one)))


def test_descriptors_are_those_of_rdkit_itself_and_tell_chains_apart(tmp_path):
    from rdkit import Chem
    from rdkit.Chem import Crippen, Descriptors

    smiles = ["CC(=O)Oc1ccccc1C(=O)O", "CCCCCCCO", "CCCCCCCCO", "O[AlH3](O)O"]
    found = descriptors(smiles, tmp_path)
    assert found.shape == (4, len(DESCRIPTORS))
    aspirin = Chem.MolFromSmiles(smiles[0])
    expected = [Descriptors.ExactMolWt(aspirin), Descriptors.TPSA(aspirin), 1, 3]  # by hand: one donor, three acceptors
    names = [DESCRIPTORS.index(name) for name in ("ExactMolWt", "TPSA", "NumHBD", "NumHBA")]
    assert np.allclose(found[0, names], expected)
    assert np.allclose(found[0, -2:], [Crippen.MolLogP(aspirin), Crippen.MolMR(aspirin)])
    assert (found[1] != found[2]).any()
    assert torch.equal(*fingerprints(smiles[1:3], 2048, 2, tmp_path))
    assert torch.equal(descriptors(smiles, tmp_path), found)


def test_the_first_of_what_is_no_molecule_is_named_and_the_others_are_counted(tmp_path):
    with pytest.raises(ValueError, match=r"^row 2 is no SMILES: 'c1cccc1', nor are 2 more: correct them, or remove"):
        fingerprints(["C", "c1cccc1", "N", "x", ""], 64, 2, tmp_path, place=lambda number: f"row {number + 1}")


def test_without_rdkit_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rdkit", None)
    with pytest.raises(ValueError, match=r'rdkit is missing: pip install "equipoise\[molecules\]"'):
        fingerprints(["C"], 64, 2, tmp_path)
