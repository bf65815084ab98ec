import sys

import numpy as np
import pytest
import yaml

from equipoise.cli import main
from equipoise.lab.data.guess import guess_columns
from equipoise.lab.data.guess_inputs import guess_input
from equipoise.lab.data.table import Table

MOLECULES = ["CCO", "c1ccccc1", "CC(=O)O", "[Na+].[Cl-]", "N#N", "C/C=C/C", "ClCBr"]


@pytest.mark.parametrize("with_rdkit", [True, False])
def test_molecules_are_seen_and_words_and_codes_are_not(monkeypatch, with_rdkit):
    if not with_rdkit:
        monkeypatch.setitem(sys.modules, "rdkit", None)
    assert guess_input(MOLECULES, None) == ("smiles", "molecules, such as CCO")
    for cells in (
        ["NO", "Boo", "spoons", "CO", "icon", "bacon"],
        ["C1", "C2", "B3", "N4", "P5", "S6"],
        [str(i) for i in range(9)],
        ["CON", "SON", "POSSO", "NON", "COCO", "BOSCO"],  # words of these letters, without a bond
        ["(C)", "CC=O", "C(=O", "CCC", "CNO", "hello"],
        MOLECULES[:4],  # too few to say
    ):
        assert guess_input(cells, None) is None, cells


def test_what_rdkit_does_not_read_is_no_molecule():
    pytest.importorskip("rdkit", reason="needs rdkit, of the extra molecules")
    assert guess_input(["C(1", "N(2", "O(3", "S(4", "P(5"], None) is None


def test_paths_are_paths_where_their_files_are(tmp_path):
    (tmp_path / "photos").mkdir()
    names = [f"photos/{i}.JPG" for i in range(20)]
    for name in names:
        (tmp_path / name).touch()
    assert guess_input(["", *names], tmp_path) == ("image", "paths to pictures, such as photos/0.JPG")
    assert guess_input(names, None) is None
    assert guess_input(names, tmp_path / "photos") is None
    sounds = [name.replace("JPG", "wav") for name in names]
    assert guess_input(sounds, tmp_path) is None
    for name in sounds:
        (tmp_path / name).touch()
    assert guess_input(sounds, tmp_path)[0] == "audio"
    guesses = guess_columns(Table("a.csv", {"photo": names, "n": [str(i * i) for i in range(20)]}, 2, ""), tmp_path)
    assert [(guess.kind, guess.target) for guess in guesses] == [("image", None), ("number", "regression")]


def test_init_writes_them_under_the_options_that_take_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for i in range(40):
        (tmp_path / f"{i}.png").touch()
    lines = [f"{i}.png,C{'C' * i}=O,{i * i},{i % 3}.5" for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["photo,molecule,n,y", *lines]))
    np.save("embeddings.npy", np.zeros((40, 3)))
    np.save("other.npy", np.zeros((41, 3)))
    (tmp_path / "text.npy").write_text("none")
    monkeypatch.setitem(sys.modules, "rdkit", None)
    assert main(["init", "t.csv", "--target", "y"]) == 0
    assert 'smiles:  # needs rdkit: pip install "equipoise[molecules]"\n' in (tmp_path / "study.yaml").read_text()
    offered = [line for line in (tmp_path / "study.yaml").read_text().splitlines() if ".npy" in line]
    assert offered == ["# vectors: embeddings.npy  # an array [40, 3], a row for each of the table's"]
    written = yaml.safe_load((tmp_path / "study.yaml").read_text())
    assert {key: written[key] for key in ("image", "smiles", "number")} == {
        "image": ["photo"],
        "smiles": ["molecule"],
        "number": ["n"],
    }
