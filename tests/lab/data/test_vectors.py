import numpy as np
import pytest
import torch
from torch.testing import assert_close

from equipoise.lab.data.table import Table
from equipoise.lab.data.vectors import read_vectors, scaled_vectors

TABLE = Table("a.csv", {"x": ["1", "2", "3"]}, 2, "")


def test_vectors_are_standardised_on_the_training_rows(tmp_path):
    array = np.random.default_rng(0).normal(5, 3, size=(3, 4)).astype(np.float16)
    array[:2, 3] = 7  # says nothing in training
    np.save(tmp_path / "v.npy", array)
    found = scaled_vectors(torch.from_numpy(read_vectors(tmp_path / "v.npy", TABLE)), [0, 1])
    known = torch.from_numpy(array[:2]).double()
    scaled = (torch.from_numpy(array).double() - known.mean(dim=0)) / known.std(dim=0, correction=0)
    assert_close(found[:, :3], scaled[:, :3].float())
    assert (found[:, 3] == 0).all()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 4)), r"v.npy holds an array \[2, 4\], and a.csv has 3 rows: it needs a row for each"),
        (np.zeros(3), r"must hold an array of numbers \[rows, D\], got float64 \[3\]"),
        (np.zeros((3, 0)), r"holds an array \[3, 0\]"),
        (np.array([["a"]] * 3), r"must hold an array of numbers \[rows, D\], got <U1 \[3, 1\]"),
        (np.array([[1.0, 2], [3, np.nan], [0, 0]]), r"row 1, column 1 \(from 0\): nan is not finite"),
        (np.array([[1e300], [0], [1]]), r"row 0, column 0 \(from 0\): inf is not finite in float32"),
    ],
)
def test_what_is_no_vector_for_each_row_is_said(tmp_path, array, message):
    np.save(tmp_path / "v.npy", array)
    with pytest.raises(ValueError, match=message):
        read_vectors(tmp_path / "v.npy", TABLE)


def test_a_file_that_is_none_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"there is no file '.*v\.npy'"):
        read_vectors(tmp_path / "v.npy", TABLE)
    (tmp_path / "v.npy").write_text("1,2")
    with pytest.raises(ValueError, match=r"v\.npy is no \.npy file of numbers"):
        read_vectors(tmp_path / "v.npy", TABLE)
    np.savez(tmp_path / "v.npz", np.zeros((3, 1)))
    with pytest.raises(ValueError, match="got an archive"):
        read_vectors(tmp_path / "v.npz", TABLE)
