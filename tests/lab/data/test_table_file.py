import gzip
import hashlib
from datetime import date

import pytest

from equipoise.lab.data.table import parse_table, read_table

TEXT = 'name,note,age\nAnn,"one, ""two""\nthree",31\nBen,,\n'
COLUMNS = {"name": ["Ann", "Ben"], "note": ['one, "two"\nthree', ""], "age": ["31", ""]}


def test_quotes_commas_and_line_ends_inside_cells(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(TEXT)
    table = read_table(path)
    assert table.columns == COLUMNS
    assert len(table) == 2
    assert table.place(1, "age") == "a.csv row 3, column 'age'"
    assert table.data_hash == hashlib.sha256(TEXT.encode()).hexdigest()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv.gz", gzip.compress(TEXT.encode(), mtime=0)),
        ("a.csv", TEXT.replace("\n", "\r\n").replace('""\r\n', '""\n').encode()),
        ("a.csv", b"\xef\xbb\xbf" + TEXT.encode()),  # as spreadsheets save it
        ("a.tsv", TEXT.replace("one, ", "one; ").replace(",", "\t").replace("one; ", "one, ").encode()),
        ("A.CSV", f"{TEXT}\n\n".encode()),
        ("a.csv", TEXT.replace("Ann", " Ann ").replace("31", "31 ").encode()),
    ],
)
def test_the_same_table_however_it_is_written(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert read_table(tmp_path / name).columns == COLUMNS


def test_another_delimiter(tmp_path):
    (tmp_path / "a.csv").write_text("a;b\n1;2\n")
    assert read_table(tmp_path / "a.csv", ";").columns == {"a": ["1"], "b": ["2"]}


def test_a_table_of_one_column_may_have_empty_cells(tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n\n3\n")
    assert read_table(tmp_path / "a.csv").columns == {"a": ["1", "", "3"]}


def test_a_number_that_is_written_in_two_ways_is_one_class():
    read = parse_table("a.csv", b"a,b\n5,1.0\n5.0,1.5\n,2.0\n5.0,1.0\n")
    assert read.columns == {"a": ["5", "5", "", "5"], "b": ["1.0", "1.5", "2.0", "1.0"]}


def test_parquet_gives_the_cells_that_csv_gives(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    columns = {"name": ["Ann", None], "age": [31, None], "size": [1.5, float("nan")], "new": [True, False]}
    parquet.write_table(pyarrow.table(columns), path)
    table = read_table(path)
    assert table.columns == {"name": ["Ann", ""], "age": ["31", ""], "size": ["1.5", ""], "new": ["True", "False"]}
    assert table.place(0, "age") == "a.parquet row 1, column 'age'"
    parquet.write_table(pyarrow.table({"a": [[1, 2]]}), path)
    with pytest.raises(ValueError, match=r"a\.parquet row 1, column 'a' holds a list"):
        read_table(path)
    path.write_text("no parquet")
    with pytest.raises(ValueError, match=r"a\.parquet is no Parquet file"):
        read_table(path)


def test_excel_gives_the_cells_that_csv_gives(tmp_path):
    openpyxl = pytest.importorskip("openpyxl", reason="needs openpyxl, of the extra excel")
    book, path = openpyxl.Workbook(), tmp_path / "a.xlsx"
    for row in (["name", "age", None, "day"], ["Ann ", 31, None, date(2024, 1, 2)], [None, 1.5, None, None]):
        book.active.append(row)
    book.save(path)
    table = read_table(path)
    assert table.columns == {"name": ["Ann", ""], "age": ["31", "1.5"], "day": ["2024-01-02 00:00:00", ""]}
    assert table.place(0, "age") == "a.xlsx row 2, column 'age'"
    book.create_sheet("more")
    book.save(path)
    with pytest.raises(ValueError, match=r"a\.xlsx has sheets Sheet, more: save the one"):
        read_table(path)
    path.write_text("no workbook")
    with pytest.raises(ValueError, match=r"a\.xlsx is no Excel file"):
        read_table(path)


def test_without_openpyxl_one_line_says_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(ValueError, match=r'pip install "equipoise\[excel\]", or save it as CSV'):
        read_table(tmp_path / "a.xlsx")


def test_without_pyarrow_one_line_says_how_to_install_it(tmp_path, monkeypatch):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r'Parquet needs pyarrow: pip install "equipoise\[parquet\]"'):
        read_table(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "a.csv is empty"),
        ("a.csv", b"age,age\n1,2\n", "columns 1 and 2 are both named 'age'"),
        ("a.csv", b"age,town\n", "has only a header"),
        ("a.csv", b"age,town\n1,Ulm\n2\n", "row 3 has 1 cells, the header has 2"),
        ("a.csv", b"age,town\n1,Ulm,3\n", "row 2 has 3 cells, the header has 2"),
        ("a.csv", b"age,town\n\n1,Ulm\n", "row 2 has 0 cells, the header has 2"),
        (
            "a.csv",
            b'age,town\n1,Ulm\n2,"Bonn\n',
            "row 3, which begins in line 3: a double quote is opened",
        ),
        ("a.csv", b"age\n\xe9\n", "line 2 is not UTF-8"),
        ("a.csv.gz", b"age\n1\n", "no whole gzip file"),
        ("a.csv.gz", gzip.compress(TEXT.encode() * 50, mtime=0)[:-20], "no whole gzip file"),
    ],
)
def test_a_malformed_file_is_named_with_its_row(name, content, message):
    with pytest.raises(ValueError, match=message):
        parse_table(name, content)


def test_millions_of_cells_are_few_strings():
    table = parse_table("a.csv", b"a,b\n" + b"some words,more words\n" * 1000)
    assert len({id(cell) for cells in table.columns.values() for cell in cells}) == 2
