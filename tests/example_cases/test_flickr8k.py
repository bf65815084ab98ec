"""Flickr8k's layout: what is read, what is written, and what is said of a bad file."""

import csv
import sys

import numpy as np
import pytest

from captioning.flickr8k import files_of, list_captioned, read_pictures, splits_of, write_scenes
from rendered import SHAPES, describe, render_scenes

Image = pytest.importorskip("PIL.Image")

# rows as the real file has them: commas in quotes, doubled quotes, a full stop that stands alone
KAGGLE = """image,caption
b_2.jpg,"A black dog , wet and happy , shakes ."
b_2.jpg,"A sign that says ""Stop"" ."
a_1.jpg,A child in a pink dress is climbing up a set of stairs in an entry way .
b_2.jpg,A dog shakes
"""


def write(folder, captions=KAGGLE, classes=None, images=("a_1.jpg", "b_2.jpg")):
    (folder / "Images").mkdir()
    for number, name in enumerate(images):
        Image.new("RGB", (40, 30), (200, 60 * number, 10)).save(folder / "Images" / name)
    (folder / "captions.txt").write_text(captions)
    if classes is not None:
        (folder / "classes.csv").write_text(classes)
    return folder


def test_commas_and_quotes_are_parts_of_captions(tmp_path):
    first, second = list_captioned(write(tmp_path))
    assert first.picture.name == "a_1.jpg"
    assert first.captions == ("A child in a pink dress is climbing up a set of stairs in an entry way .",)
    assert second.captions == (
        "A black dog , wet and happy , shakes .",
        'A sign that says "Stop" .',
        "A dog shakes",
    )


def test_without_classes_there_is_none_and_with_them_some_may_lack(tmp_path):
    assert [one.class_name for one in list_captioned(write(tmp_path))] == [None, None]
    (tmp_path / "classes.csv").write_text("image,class\nb_2.jpg,dog\n")
    assert [one.class_name for one in list_captioned(tmp_path)] == [None, "dog"]
    (tmp_path / "classes.csv").write_text("image,class\nb_2.jpg,dog\na_1.jpg,\n")
    assert [one.class_name for one in list_captioned(tmp_path)] == [None, "dog"]


def test_pictures_are_scaled_to_squares(tmp_path):
    pictures = read_pictures(list_captioned(write(tmp_path)), 8)
    assert pictures.shape == (2, 3, 8, 8)
    assert np.abs(pictures.float().mean(dim=(2, 3)).numpy() - [[200, 0, 10], [200, 60, 10]]).max() < 4


def test_the_same_picture_under_two_names_is_in_one_split(tmp_path):
    write_scenes(render_scenes(60, seed=1), tmp_path)
    listed = list_captioned(tmp_path)
    before = splits_of(listed)
    assert set(before) == {"train", "validation", "test"}
    for one in listed:  # renamed, so sorted the other way round
        one.picture.rename(one.picture.with_name(f"{99999 - int(one.picture.stem[6:]):05d}.jpg"))
    rows = list(csv.reader((tmp_path / "captions.txt").open()))
    rows = [rows[0], *([f"{99999 - int(name[6:11]):05d}.jpg", text] for name, text in rows[1:])]
    with (tmp_path / "captions.txt").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    (tmp_path / "classes.csv").unlink()
    assert splits_of(list_captioned(tmp_path)) == before[::-1]


def test_scenes_come_back_as_they_were_written(tmp_path):
    scenes = render_scenes(6, seed=2)
    write_scenes(scenes, tmp_path)
    listed = list_captioned(tmp_path)
    assert [one.captions for one in listed] == [describe(scene) for scene in scenes]
    assert [one.class_name for one in listed] == [SHAPES[scene.objects[0].shape] for scene in scenes]
    pictures = read_pictures(listed, 64).numpy().astype(int)
    assert np.abs(pictures - np.stack([scene.picture for scene in scenes])).mean() < 8  # what JPEG costs
    assert {path.name for path in files_of(tmp_path, listed)} == {
        "captions.txt",
        "classes.csv",
        *(f"scene-{number:05d}.jpg" for number in range(6)),
    }


@pytest.mark.parametrize(
    ("captions", "classes", "message"),
    [
        (KAGGLE + "c_3.jpg,A cat\n", None, r"captions\.txt, row 6: there is no picture Images/c_3\.jpg; .*kaggle"),
        (KAGGLE + "a_1.jpg,.\n", None, r"captions\.txt, row 6: the caption '\.' has no words"),
        (KAGGLE + "a_1.jpg,A cat , asleep\n", None, r"captions\.txt row 6 has 3 cells, the header has 2"),
        ("picture,caption\na_1.jpg,x\n", None, r"captions\.txt has no column 'image'"),
        ("image,caption\n", None, r"captions\.txt has only a header"),
        (KAGGLE, "image,class\nd.jpg,dog\n", r"classes\.csv, row 2: captions\.txt has no picture 'd\.jpg'"),
        (KAGGLE, "image,class\na_1.jpg,x\na_1.jpg,y\n", r"classes\.csv, row 3: a second class for 'a_1\.jpg'"),
        (KAGGLE, "image,label\na_1.jpg,x\n", r"classes\.csv has no column 'class'"),
    ],
)
def test_what_is_wrong_is_named_with_its_row(tmp_path, captions, classes, message):
    write(tmp_path, captions, classes)
    with pytest.raises(ValueError, match=message):
        list_captioned(tmp_path)


def test_a_missing_table_and_a_spoilt_picture_are_named(tmp_path):
    write(tmp_path)
    listed = list_captioned(tmp_path)
    (tmp_path / "Images" / "b_2.jpg").write_bytes(b"no jpeg")
    with pytest.raises(ValueError, match=r"b_2\.jpg is no picture"):
        read_pictures(listed, 8)
    (tmp_path / "captions.txt").unlink()
    with pytest.raises(ValueError, match=r"captions\.txt is missing"):
        list_captioned(tmp_path)


def test_without_pillow_the_extra_is_named(tmp_path, monkeypatch):
    listed = list_captioned(write(tmp_path))
    monkeypatch.setitem(sys.modules, "PIL", None)
    for use in (lambda: read_pictures(listed, 8), lambda: write_scenes(render_scenes(1, seed=0), tmp_path / "new")):
        with pytest.raises(ValueError, match=r'PIL is missing: pip install "equipoise\[pictures\]"'):
            use()
