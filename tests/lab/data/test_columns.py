import gzip

import pytest
import torch

from equipoise.lab.data.columns import read_columns

CSV = 'name,age,town\n"Ann, b",31,Ulm\nBo,4.5,\nCy,31,Ulm\n'


def write(folder, text, name="people.csv"):
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["people.csv", "people.csv.gz"])
def test_cells_are_those_of_the_file(tmp_path, name):
    columns = read_columns(write(tmp_path, CSV, name), ["town", "age", "name"])
    assert columns["name"].texts() == ["Ann, b", "Bo", "Cy"]
    assert columns["town"].texts() == ["Ulm", "", "Ulm"]
    assert columns["age"].numbers().tolist() == [31.0, 4.5, 31.0]
    assert columns["town"].cells == ("Ulm", "")
    assert len(columns["town"]) == 3


def test_places_and_empty_cells(tmp_path):
    columns = read_columns(write(tmp_path, "a,b\n2,x\n,y\n1,x\n"), ["a", "b"])
    assert torch.equal(columns["a"].numbers(empty=-1.0), torch.tensor([2.0, -1.0, 1.0]))
    assert columns["b"].places(("y", "x")).tolist() == [1, 0, 1]
    assert columns["b"].places(("y",), otherwise=7).tolist() == [7, 0, 7]


def test_a_wrong_cell_is_named_by_its_first_row_and_column(tmp_path):
    columns = read_columns(write(tmp_path, CSV), ["age", "town"])
    with pytest.raises(ValueError, match=r"people\.csv, data row 1, column 'town': must be a number, got 'Ulm'"):
        columns["town"].numbers()
    with pytest.raises(ValueError, match=r"data row 2, column 'age': must be one of '31', got '4.5'"):
        columns["age"].places(("31",))


@pytest.mark.parametrize("cell", ["many", "nan", "inf", ""])
def test_what_is_no_finite_number(tmp_path, cell):
    column = read_columns(write(tmp_path, f'a,b\n1,x\n"{cell}",x\n'), ["a"])["a"]
    with pytest.raises(ValueError, match=f"data row 2, column 'a': must be a number, got '{cell}'"):
        column.numbers()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "one column 'age', got 0"),
        ("name,Age\nA,1\n", "one column 'age', got 0"),
        ("age,age\n1,2\n", "one column 'age', got 2"),
        ("age,town\n", "has no rows"),
        ("age,town\n1,Ulm\n2\n", "data row 2: must have 2 cells, got 1"),
        ("age,town\n1,Ulm,3\n", "data row 1: must have 2 cells, got 3"),
    ],
)
def test_a_malformed_file_is_told_from_a_sound_one(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_columns(write(tmp_path, text), ["age"])


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ValueError, match=r"none\.csv is missing"):
        read_columns(tmp_path / "none.csv", ["age"])
    whole = gzip.compress(CSV.encode() * 50)
    for name, content in [
        ("not.csv.gz", CSV.encode()),
        ("cut.csv.gz", whole[:-20]),
        ("latin.csv", b"age\n\xe9\n"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{name} cannot be read"):
            read_columns(tmp_path / name, ["age"])


def test_a_number_that_float32_does_not_hold_is_named(tmp_path):
    text = "a\n" + "1\n" * 3000 + "-1e39\n"
    with pytest.raises(ValueError, match=r"data row 3001, column 'a': .* that float32 holds, got '-1e39'"):
        read_columns(write(tmp_path, text), ["a"])["a"].numbers()
