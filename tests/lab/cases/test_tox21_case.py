import gzip

import pytest
import torch
from real_data import needs, trained, whole

from equipoise.lab.cases import CASES, tox21
from equipoise.lab.cases.tox21 import ASSAYS, read_tox21
from equipoise.lab.data.split import SPLITS, split_of

HEADER = ",".join([*ASSAYS, "mol_id", "smiles"])


def write(folder, rows):
    path = folder / "tox21.csv.gz"
    path.write_bytes(gzip.compress("\n".join([HEADER, *rows, ""]).encode()))
    return path


def row(labels, smiles):
    return f"{','.join(labels)},TOX1,{smiles}"


def test_labels_are_those_of_the_file(tmp_path):
    read = read_tox21(write(tmp_path, [row(["1", "0", *[""] * 10], "CCO"), row(["0"] * 11 + [""], "C")]))
    assert read.smiles == ["CCO", "C"]
    assert read.labels[0, :2].tolist() == [1.0, 0.0]
    assert read.labels[0, 2:].isnan().all()
    assert read.labels[1, 0] == 0
    assert read.labels.isnan().sum() == 11


def test_another_label_is_named(tmp_path):
    path = write(tmp_path, [row(["0"] * 12, "C"), row(["0", "2", *["0"] * 10], "C")])
    with pytest.raises(ValueError, match="row 3, column 'NR-AR-LBD': '2' is none of 0, 1"):
        read_tox21(path)


def test_without_the_folder_the_error_says_whence(tmp_path):
    with pytest.raises(ValueError, match=r"no data for 'tox21'.*moleculenet"):
        tox21(tmp_path / "none")
    with pytest.raises(ValueError, match=r"there is no file '.*tox21\.csv\.gz'"):
        tox21(tmp_path)


def test_the_same_molecule_is_in_one_split_and_labels_go_with_it(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    chains = ["C" * length for length in range(1, 60)]
    rows = [row([str(len(chain) % 2)] * 12, chain) for chain in chains] * 2
    write(tmp_path, rows)
    case = tox21(tmp_path)
    assert sum(len(split) for split in case.data.values()) == len(rows)
    for name in SPLITS:
        _, targets = whole(case, name)
        expected = [len(chain) % 2 for chain in chains if split_of(chain, (0.8, 0.1, 0.1)) == name] * 2
        assert sorted(targets["SR-p53"].tolist()) == sorted(expected)
    assert len(tox21(tmp_path, salt="x").data["train"]) != len(case.data["train"])


@needs("tox21")
@pytest.mark.slow
def test_on_the_real_table_it_is_as_good_as_published(tmp_path):
    pytest.importorskip("rdkit")
    case = CASES["tox21"]()
    counts = {name: len(split) for name, split in case.data.items()}
    assert sum(counts.values()) == 8014
    assert 0.78 < counts["train"] / 8014 < 0.82
    inputs, targets = whole(case, "train")
    missing = torch.stack([targets[assay] for assay in ASSAYS]).isnan().double().mean()
    assert 0.16 < missing < 0.18
    torch.manual_seed(0)
    assert case.model(ASSAYS)(inputs[:4])["NR-ER"].shape == (4,)
    scores = trained(case, 0, tmp_path)
    aucs = [value for (_, metric), value in scores.items() if metric == "auroc"]
    assert len(aucs) == 12
    assert sum(aucs) / 12 > 0.80
