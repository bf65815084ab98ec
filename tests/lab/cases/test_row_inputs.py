"""Molecules, pictures, sounds and vectors of a table, through ``TableCase``."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from equipoise.lab.cases import TableCase, Target, file_inputs
from equipoise.lab.data.split import SPLITS, split_of

TARGET = (Target("y", "regression"),)
ROWS = 60


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def table(folder, **columns):
    """A table with the number of each row as y."""
    with (folder / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["y", *columns], *zip(range(ROWS), *columns.values(), strict=True)])
    return str(folder / "t.csv")


def test_a_number_that_is_written_in_two_ways_is_in_one_split(tmp_path):
    written = [f"{1000 + row // 2}{'.0' * (row % 2)}" for row in range(ROWS)]
    case = TableCase(table(tmp_path, x=written), TARGET, number=("x",))()
    seen = {split: {row // 2 for row in case.data[split]} for split in SPLITS}
    assert sum(map(len, seen.values())) == ROWS // 2
    plain = TableCase(table(tmp_path, x=[cell.removesuffix(".0") for cell in written]), TARGET, number=("x",))()
    assert [*plain.data["train"]] == [*case.data["train"]]


def write_pictures(folder, numbers=range(ROWS)):
    image = pytest.importorskip("PIL.Image", reason="needs Pillow, of the extra pictures")
    (folder / "photos").mkdir()
    for place, number in enumerate(numbers):
        pixels = np.full((10, 12, 3), 4 * number, dtype=np.uint8)
        image.fromarray(pixels).save(folder / "photos" / f"{place}.png")
    return [f"photos/{place}.png" for place in range(len(numbers))]


def write_sounds(folder, longest=None):
    """Each a little longer than the one before, and one of half a second."""
    soundfile = pytest.importorskip("soundfile", reason="needs soundfile, of the extra sound")
    for place in range(ROWS):
        time = np.arange(4000 if place == longest else 1600 + 10 * place) / 8000
        soundfile.write(folder / f"{place}.wav", np.sin(2 * np.pi * (200 + 50 * place) * time) / 2, 8000)
    return [f"{place}.wav" for place in range(ROWS)]


def check_rows(case):
    """Each row's output is its own, and every weight learns."""
    rows = case.data["train"].rows[:5]
    torch.manual_seed(0)
    model = case.model(["y"])
    model(case.collate(rows)[0])["y"].square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    model.eval()
    together = model(case.collate(rows)[0])["y"]
    assert_close(together[3:4], model(case.collate(rows[3:4])[0])["y"])
    assert together.unique().numel() == 5


class TestPictures:
    @pytest.fixture
    def recipe(self, tmp_path):
        paths = write_pictures(tmp_path)
        return TableCase(table(tmp_path, photo=paths, x=range(ROWS)), TARGET, image=("photo",), image_size=16)

    def test_a_batch_holds_the_pictures_of_its_rows_at_the_size(self, recipe):
        case = recipe()
        pixels = case.collate([3, 50])[0]["image"]
        assert pixels.dtype == torch.uint8
        assert pixels.shape == (2, 1, 3, 16, 16)
        assert pixels.amax(dim=(1, 2, 3, 4)).tolist() == pixels.amin(dim=(1, 2, 3, 4)).tolist() == [12, 200]
        assert case.title == "t.csv: y from photo (image: 16x16 pixels)"
        check_rows(case)

    def test_two_columns_of_pictures_share_weights(self, recipe, tmp_path):
        cells = [f"photos/{place}.png" for place in range(ROWS)]
        case = replace(recipe, path=table(tmp_path, photo=cells, back=cells[::-1]), image=("photo", "back"))()
        (part, width) = case.collate.inputs["image"].make_part()
        vectors = part.eval()(case.collate([4, ROWS - 5])[0]["image"])
        assert vectors.shape == (2, width)
        assert_close(vectors[0], vectors[1].roll(width // 2))

    def test_the_same_picture_is_in_one_split_whatever_its_name(self, tmp_path):
        paths = write_pictures(tmp_path, [number % 30 for number in range(ROWS)])
        case = TableCase(table(tmp_path, photo=paths), TARGET, image=("photo",), image_size=8)()
        for split in SPLITS:
            rows = case.data[split].rows
            assert {row for row in rows if row < 30} == {row - 30 for row in rows if row >= 30}

    def test_a_changed_picture_changes_the_data_hash_and_what_is_read(self, recipe, tmp_path):
        before = recipe()
        again = recipe()
        assert again.data_hash == before.data_hash
        (tmp_path / "photos" / "3.png").write_bytes((tmp_path / "photos" / "50.png").read_bytes())
        after = recipe()
        assert after.data_hash != before.data_hash
        assert (after.collate([3])[0]["image"] == 200).all()

    def test_files_that_are_not_there_are_named_and_counted(self, recipe, tmp_path):
        (tmp_path / "photos" / "3.png").unlink()
        with pytest.raises(ValueError, match=r"t\.csv row 5, column 'photo': 'photos/3\.png' is no file in .*; c"):
            recipe()
        (tmp_path / "photos" / "7.png").unlink()
        with pytest.raises(ValueError, match=r"'photos/3\.png' is no file in .* \(2 such cells\)"):
            recipe()
        (tmp_path / "photos" / "3.png").write_text("hello")
        (tmp_path / "photos" / "7.png").write_text("hello")
        with pytest.raises(ValueError, match=r"t\.csv row 5, column 'photo': .*3\.png is no picture"):
            recipe()

    def test_more_than_memory_holds_is_said_before_reading(self, recipe, monkeypatch):
        monkeypatch.setattr(file_inputs, "MOST_BYTES", 2**10)
        with pytest.raises(ValueError, match=r"photo of t\.csv: 16x16 pixels of 60 rows are 0\.0 GiB in memory, more"):
            recipe()

    def test_the_rows_with_the_largest_losses_show_their_pictures(self, recipe):
        case = recipe()
        shown = case.collate.inputs["image"].pictures(7)
        assert list(shown) == ["photo"]
        assert shown["photo"].shape == (16, 16, 3)
        assert (shown["photo"] == 28).all()


class TestSounds:
    def test_sounds_are_as_long_as_the_longest_of_the_training_rows_or_as_said(self, tmp_path):
        people = [f"person {place}" for place in range(ROWS)]
        in_test = next(place for place in range(ROWS) if split_of(people[place]) == "test")
        path = table(tmp_path, clip=write_sounds(tmp_path, longest=in_test), person=people)
        recipe = TableCase(path, TARGET, audio=("clip",), group="person")
        case = recipe()
        longest = (1600 + 10 * max(case.data["train"].rows)) / 8000
        batch = case.collate([0, 59])[0]["audio"]
        assert batch.shape == (2, 1, 1, 64, int(longest * 100) + 1)
        assert case.title == f"t.csv: y from clip (audio: the first {longest:.3g} s)"
        check_rows(case)
        batch = replace(recipe, seconds=0.1)().collate([0])[0]["audio"]
        assert batch.shape == (1, 1, 1, 64, 11)
        assert replace(recipe, seconds=0.1).options != recipe.options


class TestMolecules:
    def test_spellings_of_a_molecule_are_in_one_split(self, tmp_path):
        pytest.importorskip("rdkit", reason="needs rdkit, of the extra molecules")
        chains = [f"{first}{middle}C" for first in "NFIOSP" for middle in ("C", "CC", "C=C", "CS", "C#C")]
        path = table(tmp_path, molecule=[*chains, *(chain[::-1] for chain in chains)])
        case = TableCase(path, TARGET, smiles=("molecule",))()
        for split in SPLITS:
            rows = case.data[split].rows
            assert {row for row in rows if row < 30} == {row - 30 for row in rows if row >= 30}
        check_rows(case)

    def test_what_is_no_molecule_is_named_by_its_row(self, tmp_path):
        pytest.importorskip("rdkit", reason="needs rdkit, of the extra molecules")
        path = table(tmp_path, molecule=["C"] * 10 + ["C1CC"] + ["N"] * 49)
        with pytest.raises(ValueError, match=r"t\.csv row 12, column 'molecule' is no SMILES: 'C1CC': correct"):
            TableCase(path, TARGET, smiles=("molecule",))()


class TestVectors:
    def test_vectors_go_with_the_rows_and_the_hash_with_the_file(self, tmp_path):
        file = tmp_path / "v.npy"
        array = np.random.default_rng(0).normal(size=(ROWS, 5))
        np.save(file, array)
        recipe = TableCase(table(tmp_path, x=range(ROWS)), TARGET, vectors=(str(file),), number=("x",))
        case = recipe()
        rows = case.data["train"].rows
        batch = case.collate(rows)[0]["vectors"]
        assert_close(batch.mean(dim=0), torch.zeros(5), atol=1e-6, rtol=0)
        expected = torch.from_numpy(array[rows])
        assert_close(torch.corrcoef(torch.stack([batch[:, 2].double(), expected[:, 2]]))[0, 1].item(), 1.0)
        check_rows(case)
        np.save(file, array + np.eye(ROWS, 5))
        assert recipe().data_hash != case.data_hash
        assert recipe.options["vectors"] == ["v.npy"]


def test_empty_cells_are_missing_and_a_column_of_them_says_nothing(tmp_path):
    pytest.importorskip("rdkit", reason="needs rdkit, of the extra molecules")
    photos, clips = write_pictures(tmp_path), write_sounds(tmp_path)
    smiles = ["C" * (1 + place % 7) + "O" for place in range(ROWS)]
    for cells in (photos, clips, smiles):
        cells[3] = ""
    path = table(tmp_path, x=range(ROWS), photo=photos, clip=clips, smiles=smiles, nothing=[""] * ROWS)
    case = TableCase(path, TARGET, number=("x",), image=("photo",), audio=("clip",), smiles=("smiles",))()
    batch = case.collate([3, 4])[0]
    for kind in ("image", "audio", "smiles", "descriptors"):
        assert (batch[kind][0] == 0).all(), kind
        assert (batch[kind][1] != 0).any(), kind
    check_rows(case)
    for kind in ("image", "audio", "smiles"):
        with pytest.raises(
            ValueError, match=r"column 'nothing' of t\.csv is empty in every training row: leave it out"
        ):
            TableCase(path, TARGET, number=("x",), **{kind: ("nothing",)})()


def test_options_without_these_inputs_are_those_of_an_older_study():
    options = TableCase("t.csv", TARGET, number=("x",)).options
    assert list(options) == ["file", "target", "text", "number", "category", "group", "delimiter"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"image_size": 4}, "image_size must be at least 8 pixels, got 4"), ({"seconds": 0.0}, "seconds must be in 0.1")],
)
def test_a_size_or_length_that_leaves_nothing_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        TableCase("t.csv", TARGET, number=("x",), **wrong)
