import io
import json

import matplotlib.image
import pytest
import torch
from torch import nn

import equipoise as eq
from equipoise.lab import diagnostics as ex

MATRIX = ex.Matrix(("a",), ("a",), "true", "predicted", ((None,),), ((0,),), "how to read it")
TABLE = ex.ScoreTable(("class", "F1"), (("a", 0.5), ("b", None)), "a note")
PIXELS = torch.tensor([[[255, 0, 0], [0, 0, 255]]], dtype=torch.uint8)
SEEN = ex.Predictions(nn.Identity(), eq.Tasks([eq.Task("t", nn.MSELoss())]), {}, {}, [], list)


def diagnostic(name, result, tasks=("t",)):
    return ex.Diagnostic(name, f"title of {name}", tasks, lambda seen: result)


def test_what_is_written_is_read_back(tmp_path):
    gallery = ex.Gallery((ex.Card(("one", "two"), (ex.Picture.of(PIXELS, "red and blue"),)), ex.Card(("three",))), "n")
    results = {"matrix": MATRIX, "table": TABLE, "gallery": gallery}
    ex.write_diagnostics(tmp_path, [diagnostic(name, result) for name, result in results.items()], SEEN)
    assert {shown.name: shown.result for shown in ex.read_diagnostics(tmp_path)} == results
    assert [shown.title for shown in ex.read_diagnostics(tmp_path)] == [f"title of {name}" for name in results]
    png = matplotlib.image.imread(io.BytesIO((tmp_path / "exhibits" / "2-0-0.png").read_bytes()))
    assert (255 * png[..., :3]).round().astype(int).tolist() == PIXELS.tolist()


def test_the_hash_is_of_entries_and_pictures(tmp_path):
    assert ex.diagnostics_hash(tmp_path) == ""
    gallery = ex.Gallery((ex.Card(("one",), (ex.Picture.of(PIXELS, "red and blue"),)),), "n")
    ex.write_diagnostics(tmp_path, [diagnostic("gallery", gallery)], SEEN)
    whole = ex.diagnostics_hash(tmp_path)
    assert whole == ex.diagnostics_hash(tmp_path) != ""
    for file in (tmp_path / "exhibits.json", tmp_path / "exhibits" / "0-0-0.png"):
        before = file.read_bytes()
        file.write_bytes(before + b"\n")
        assert ex.diagnostics_hash(tmp_path) != whole
        file.write_bytes(before)


def test_a_diagnostic_needs_all_of_its_tasks(tmp_path):
    ex.write_diagnostics(tmp_path, [diagnostic("both", TABLE, ("t", "other"))], SEEN)
    assert list(tmp_path.iterdir()) == []
    assert ex.read_diagnostics(tmp_path) == ()


def test_one_that_fails_says_so_and_costs_itself_alone(tmp_path):
    def fail(seen):
        raise KeyError("no such\nthing")

    diagnostics = [ex.Diagnostic("broken", "Broken", ("t",), fail), diagnostic("whole", TABLE)]
    with pytest.warns(UserWarning, match=r"'broken' is not shown, it failed with KeyError.*run itself is kept"):
        ex.write_diagnostics(tmp_path, diagnostics, SEEN)
    broken, whole = ex.read_diagnostics(tmp_path)
    assert broken.result == "it failed with KeyError: 'no such\\nthing'"
    assert whole.result == TABLE


def test_names_are_unique(tmp_path):
    with pytest.raises(ValueError, match=r"different names, got \['twice'\]"):
        ex.write_diagnostics(tmp_path, [diagnostic("twice", TABLE), diagnostic("twice", TABLE)], SEEN)


def test_the_file_is_strict_json(tmp_path):
    ex.write_diagnostics(tmp_path, [diagnostic("matrix", MATRIX)], SEEN)
    entry = json.loads((tmp_path / "exhibits.json").read_text(), parse_constant=pytest.fail)[0]
    assert entry["shares"] == [[None]]
