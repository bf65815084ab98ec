"""Malformed tables and configurations: each ends in one line that says where and what to do."""

import gzip
from itertools import pairwise

import pytest

from equipoise.cli import main
from equipoise.lab.cases import TableCase
from equipoise.lab.data.columns import Target

HEADER = "title,age,colour,rating,liked,kind,size,tags"
COLOURS, KINDS, SIZES, TAGS = ("red", "green"), ("top", "dress", "shoe"), ("1", "2", "3"), ("soft;warm", "warm", "soft")


def row(i):
    return [
        f"nice thing number {i}",
        str(20 + i),
        COLOURS[i % 2],
        f"{1 + i % 5}.5",
        ("no", "yes")[i % 2],
        KINDS[i % 3],
        SIZES[i % 3],
        TAGS[i % 3],
    ]


ROWS = [",".join(row(i)) for i in range(90)]
GOOD = "\n".join([HEADER, *ROWS]) + "\n"
INPUTS = ["--text", "title", "--number", "age", "--category", "colour"]
TARGETS = ["--target", "rating:regression", "--target", "liked:binary", "--target", "kind:multiclass"]


def with_cell(index, column, cell):
    """The good table with another cell; index 0 is row 2."""
    cells = row(index)
    cells[HEADER.split(",").index(column)] = cell
    return "\n".join([HEADER, *ROWS[:index], ",".join(cells), *ROWS[index + 1 :]]) + "\n"


def with_column(column, cell):
    """The good table with another column, of the same or of ``cell(i)``."""
    place = HEADER.split(",").index(column)
    lines = [HEADER]
    for i in range(len(ROWS)):
        cells = row(i)
        cells[place] = cell(i)
        lines.append(",".join(cells))
    return "\n".join(lines) + "\n"


def refused(capsys, *words):
    """The one line that these words end in."""
    with pytest.raises(SystemExit) as left:
        main(["compare", *words])
    output = capsys.readouterr()
    assert left.value.code == 2
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert output.err.startswith("equipoise: ")
    return output.err


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A working directory with the good table."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text(GOOD)
    return tmp_path


FILES = {
    "empty file": ("", "data.csv is empty: it needs a header and rows"),
    "blank lines": ("\n\n", "data.csv is empty"),
    "only a header": (f"{HEADER}\n", "data.csv has only a header"),
    "duplicate columns": (GOOD.replace("age", "title", 1), "row 1: columns 1 and 2 are both named 'title'"),
    "a column without a name": (GOOD.replace("age", "", 1), "row 1: the name of column 2 is empty"),
    "a missing column": (GOOD.replace("rating", "ratings", 1), "no column 'rating'; did you mean 'ratings'?"),
    "a missing input": (GOOD.replace("age", "ages", 1), "no column 'age'; did you mean 'ages'?"),
    "text in a number column": (with_cell(15, "age", "old"), "row 17, column 'age': 'old' is no number"),
    "a decimal comma": (with_cell(3, "age", '"3,5"'), "row 5, column 'age': '3,5' is no number; the decimal mark is"),
    "an infinite number": (with_cell(0, "rating", "inf"), "row 2, column 'rating': 'inf' is no finite number"),
    "nan in words": (
        with_cell(1, "age", "nan"),
        "row 3, column 'age': 'nan' is no finite number: correct it, or empty",
    ),
    "a number out of range": (with_cell(0, "age", "1e999"), "row 2, column 'age': '1e999' is no finite number"),
    "an input that overflows": (with_cell(60, "age", "1e308"), "row 62, column 'age': '1e308' cannot be standardised"),
    "a target that overflows": (with_cell(77, "rating", "-1e308"), "row 79, column 'rating': '-1e308' cannot be"),
    "numbers that all overflow": (with_column("age", lambda i: f"{i}e305"), "row 91, column 'age': '89e305' cannot be"),
    "a class seen once": (with_cell(4, "kind", "coat"), "row 6, column 'kind': the class 'coat' is seen once"),
    "binary with three values": (with_cell(7, "liked", "maybe"), "row 9, column 'liked': 'maybe' is a third value"),
    "binary with one value": (with_column("liked", lambda i: "yes"), "column 'liked' of data.csv is always 'yes'"),
    "all labels missing": (with_column("rating", lambda i: ""), "column 'rating' of data.csv is empty in every row"),
    "labels nearly all missing": (
        with_column("rating", lambda i: "1" if i == 0 else ""),
        "target 'rating' of data.csv has no label in the",
    ),
    "a constant target": (with_column("rating", lambda i: "3"), "target 'rating' of data.csv is 3 in every training"),
    "a constant input": (with_column("age", lambda i: "3"), "column 'age' of data.csv is 3 in every training row"),
    "an empty input": (with_column("age", lambda i: ""), "column 'age' of data.csv is empty in every row"),
    "text without words": (with_column("title", lambda i: "?!"), "text title of data.csv has no word in any training"),
    "wrong delimiter": (GOOD.replace(",", ";"), "if ';' is between the cells, give --delimiter"),
    "a row too long": (with_cell(2, "title", "a, b"), "row 4 has 9 cells, the header has 8"),
    "a row too short": (f"{GOOD}just this\n", "row 92 has 1 cells, the header has 8"),
    "a blank line inside": (GOOD.replace("\n", "\n\n", 2), "row 2 has 0 cells"),
    "a quote never closed": (with_cell(5, "title", '"nice'), "row 7, which begins in line 7: a double quote is opened"),
    "text after a quote": (with_cell(5, "title", '"nice" thing'), "row 7, which begins in line 7"),
    "wrong encoding": (GOOD.replace("nice thing number 8", "très bien", 1).encode("latin-1"), "line 10 is not UTF-8"),
    "UTF-16": (GOOD.encode("utf-16"), "zero byte, so it is no UTF-8 text"),
    "few rows": ("\n".join([HEADER, *ROWS[:3]]), "and none of them falls into the"),
    "the same inputs": (
        "\n".join([HEADER, *["a,1,red,1.5,no,top,1,soft", "a,1,red,2.5,yes,dress,2,warm"] * 20]),
        "40 rows with 1 different inputs",
    ),
}


@pytest.mark.parametrize(("content", "expected"), FILES.values(), ids=FILES)
def test_a_malformed_table_is_one_line(here, capsys, content, expected):
    (here / "data.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert expected in refused(capsys, "data.csv", *TARGETS, *INPUTS)


@pytest.mark.parametrize("value", [1e308, float("inf"), -1e25])
def test_numbers_of_a_parquet_file_that_overflow_are_one_line(here, capsys, value):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"x": [float(i) for i in range(90)], "y": [float(i % 7) for i in range(90)]}
    for column in columns:
        spoilt = {**columns, column: [*columns[column][:-1], value]}
        parquet.write_table(arrow.table(spoilt), here / "data.parquet")
        line = refused(capsys, "data.parquet", "--target", "y:regression", "--number", "x")
        assert f"data.parquet row 90, column {column!r}: '{value}' " in line


def test_a_broken_archive_is_one_line(here, capsys):
    (here / "data.csv.gz").write_bytes(gzip.compress(GOOD.encode())[:-20])
    assert "data.csv.gz is no whole gzip file" in refused(capsys, "data.csv.gz", *TARGETS, *INPUTS)
    (here / "data.csv.gz").write_text(GOOD)
    assert "data.csv.gz is no whole gzip file" in refused(capsys, "data.csv.gz", *TARGETS, *INPUTS)


@pytest.mark.parametrize("word", ["NA", "null", "None", "?"])
def test_a_label_that_may_mean_a_missing_one_is_asked_about(here, capsys, word):
    (here / "data.csv").write_text(with_cell(4, "kind", word).replace(",top,", f",{word},", 2))
    words = ["data.csv", *TARGETS, *INPUTS]
    line = refused(capsys, *words)
    assert f"row 2, column 'kind': is {word!r} a multiclass label or a missing one (3 rows)? For missing say" in line
    for missing in ((word, "x"), (word,), ("",)):
        assert TableCase("data.csv", (Target("kind", "multiclass"),), number=("age",), missing=missing)() is not None


def test_a_word_that_is_said_to_be_missing_answers_for_no_other(here, capsys):
    (here / "data.csv").write_text(with_cell(4, "kind", "NA").replace(",top,", ",nan,", 2))
    words = ["data.csv", *TARGETS, *INPUTS, "--loss", "kind=nix"]
    line = refused(capsys, *words, "--missing", "NA")
    assert "is 'nan' a multiclass label or a missing one (2 rows)? For missing say --missing NA,nan, for a" in line
    assert "label --missing 'NA,' (in a study.yaml missing: 'NA,nan' or missing: 'NA,')" in line
    for missing in (("NA", "nan"), ("NA", "")):
        assert TableCase("data.csv", (Target("kind", "multiclass"),), number=("age",), missing=missing)() is not None


@pytest.mark.parametrize("given", ["'NA,'", "[NA, '']", "[NA]", "NA"])
def test_what_a_file_says_is_missing_is_what_the_command_line_says(here, capsys, given):
    (here / "data.csv").write_text(with_cell(4, "kind", "NA").replace(",top,", ",nan,", 2))
    (here / "study.yaml").write_text(f"missing: {given}\n")
    line = refused(capsys, "data.csv", *TARGETS, *INPUTS, "--config", "study.yaml", "--loss", "kind=nix")
    assert ("is 'nan' a multiclass label" if given in ("[NA]", "NA") else "no loss 'nix'") in line


def test_a_number_that_may_mean_a_missing_one_is_told_how_to_say_so(here, capsys):
    (here / "data.csv").write_text(with_cell(1, "age", "NA"))
    words = ["data.csv", *TARGETS, *INPUTS]
    assert "'NA' is no number: correct it, or empty the cell, or say --missing NA" in refused(capsys, *words)
    assert "no loss 'nix'" in refused(capsys, *words, "--missing", "NA", "--loss", "kind=nix")


WORDS = {
    "no such file": (["dta.csv", *TARGETS, *INPUTS], "there is no file 'dta.csv' (looked in "),
    "no such file, and no columns": (["dta.csv"], "there is no file 'dta.csv' (looked in "),
    "another format": (["data.ods", *TARGETS], "has columns, and 'data.ods' is none"),
    "another format alone": (["data.ods"], "'data.ods' must end in one of .csv, "),
    "no target": (["data.csv", *INPUTS], "nothing to predict: name columns of data.csv"),
    "no input": (["data.csv", *TARGETS], "nothing to predict from: name columns, by --text, --number or --category"),
    "an unknown kind": (
        ["data.csv", "--target", "rating:regresion", *INPUTS],
        "no kind 'regresion' of target 'rating'; did you mean 'regression'?",
    ),
    "no kind": (["data.csv", "--target", "rating", *INPUTS], "a target is COLUMN:KIND, got 'rating'"),
    "a target as an input": (
        ["data.csv", "--target", "age:regression", *INPUTS],
        "column 'age' is a target and an input",
    ),
    "a target twice": (["data.csv", *TARGETS, *TARGETS[:2], *INPUTS], "column 'rating' is named twice"),
    "an input twice": (["data.csv", *TARGETS, *INPUTS, "--text", "title"], "column 'title' is named twice"),
    "an empty name": (["data.csv", *TARGETS, "--text", "title,"], "argument --text: names with commas between them"),
    "levels without order": (
        ["data.csv", "--target", "kind:ordinal", *INPUTS],
        "row 2, column 'kind': 'top' is no number: give the order of the levels, kind:ordinal:low,middle,high",
    ),
    "a level that is none": (
        ["data.csv", "--target", "kind:ordinal:top,dress", *INPUTS],
        "row 4, column 'kind': 'shoe' is none of top, dress",
    ),
    "a level twice": (["data.csv", "--target", "kind:ordinal:a,a", *INPUTS], "must be different names, got 'a,a'"),
    "text as regression": (
        ["data.csv", "--target", "kind:regression", *INPUTS],
        "row 2, column 'kind': 'top' is no number: correct it, or empty the cell",
    ),
    "many classes as classes": (["data.csv", "--target", "age:multiclass", "--text", "title"], "'20' is seen once"),
    "a delimiter of two": (["data.csv", *TARGETS, "--delimiter", ";;"], "argument --delimiter: one character"),
    "no such group": (["data.csv", *TARGETS, *INPUTS, "--group", "user"], "data.csv has no column 'user'"),
    "columns of a ready case": (["reviews", *TARGETS], "has columns, and 'reviews' is none"),
    "an unknown option": (["data.csv", "--targt", "a:binary"], "unknown option '--targt'; did you mean '--target'"),
}


@pytest.mark.parametrize(("words", "expected"), WORDS.values(), ids=WORDS)
def test_wrong_words_about_a_table_are_one_line(capsys, words, expected):
    assert expected in refused(capsys, *words)


BASE = "case: data.csv\ntarget:\n  rating: regression\n  liked: binary\ntext: [title]\n"
CONFIGS = {
    "an unknown key": (f"{BASE}epoch: 3\n", "study.yaml: unknown key 'epoch'; did you mean 'epochs'"),
    "negative epochs": (f"{BASE}epochs: -1\n", "study.yaml: argument --epochs: a whole number of at least 1, got '-1'"),
    "half an epoch": (f"{BASE}epochs: 2.5\n", "study.yaml: argument --epochs: a whole number of at least 1, got '2.5'"),
    "bad seeds": (f"{BASE}seeds: many\n", "study.yaml: argument --seeds: a number of at least 1, or a list"),
    "no value": (f"{BASE}number:\n", "study.yaml: number has no value: give it one, or remove the line"),
    "yes without quotes": (f"{BASE}category: yes\n", "category must be text, a number or a list of them, got True"),
    "a map for a list": (f"{BASE}number: {{a: b}}\n", "number must be text, a number or a list of them, got {'a'"),
    "bad indentation": ("case: data.csv\n  target: x\n", "study.yaml line 2, column 9: mapping values are not allowed"),
    "a tab": ("case: data.csv\ntarget:\n\trating: x\n", "study.yaml line 3, column 1: a tab"),
    "an open bracket": (f"{BASE}number: [age\n", "study.yaml line 7, column 1: "),
    "no map": ("- data.csv\n", "study.yaml must hold keys with values, such as seeds: 5; got ['data.csv']"),
    "an empty file": ("# nothing\n", "study.yaml must hold keys with values, such as seeds: 5; got None"),
    "a key twice": (f"{BASE}text: [title]\n", "study.yaml line 6: 'text' is there twice"),
    "a target twice": (BASE.replace("liked", "rating"), "study.yaml line 4: 'rating' is there twice"),
    "no case": (BASE.replace("case: data.csv\n", ""), "name a CASE, or a --config with a case"),
    "no target": ("case: data.csv\ntext: title\n", "nothing to predict"),
    "an unknown kind": (BASE.replace("binary", "binry"), "no kind 'binry' of target 'liked'; did you mean 'binary'?"),
    "an unknown method": (f"{BASE}methods: [sum, nash-mlt]\n", "nash-mtl"),
    "an unknown column": (BASE.replace("title", "titel"), "data.csv has no column 'titel'; did you mean 'title'?"),
}


BOMB = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in pairwise("abcdefghi"))
CONFIGS |= {
    "an alias bomb": (BASE + BOMB, "study.yaml line 6: anchors and aliases (&a, *a) are not read"),
    "a self-reference": (f"{BASE}number: &n [*n]\n", "study.yaml line 6: anchors and aliases"),
    "a merge": (f"{BASE}loss: {{<<: *t}}\n", "study.yaml line 6: anchors and aliases"),
    "deep brackets": (f"{BASE}number: {'[' * 3000}", "study.yaml line 6"),
    "deep lines": (f"{BASE}number:\n" + "\n".join(f"{' ' * i}a:" for i in range(1, 700)), "nested deeper than 8"),
    "a deep list": (f"{BASE}number: {'[' * 9}{']' * 9}", "study.yaml line 6: nested deeper than 8"),
    "a list as deep as is read": (f"{BASE}number: {'[' * 7}{']' * 7}", "a number or a list of them, got [[[[[[]]]]]]"),
    "a long number": (f"{BASE}epochs: {'9' * 5000}\n", "study.yaml line 6: a value of more than 4096 letters"),
    "a large number": (f"{BASE}epochs: {'9' * 4000}\n", "argument --epochs: a whole number of at most 4294967295"),
    "many seeds": (f"{BASE}seeds: 99999999999\n", "argument --seeds: at most 100000 seeds"),
    "large seeds": (f"{BASE}seeds: [0, 99999999999]\n", "argument --seeds: at most 100000 seeds of at most 4294967295"),
    "a large file": (f"{BASE}# {'x' * 300_000}\n", "study.yaml has more than 262144 bytes"),
    "a date that is none": (f"{BASE}epochs: 2020-13-45\n", "study.yaml: month must be in 1..12"),
    "a tag": (f"{BASE}epochs: !!python/object:os.system x\n", "study.yaml line 6, column 9: could not determine"),
    "a tag that does not fit": (f"{BASE}epochs: !!int x\n", "study.yaml: invalid literal for int()"),
    "a list as a key": (f"{BASE}? [a, b]\n: 3\n", "study.yaml line 6, column 3: found unhashable key"),
    "a key twice in a list": ("case: data.csv\ntarget: [{a: b, a: c}]\n", "study.yaml line 2: 'a' is there twice"),
    "a control character": (f"{BASE}epochs: \x01\n", "study.yaml: unacceptable character"),
    "two documents": (f"{BASE}---\nepochs: 3\n", "but found another document"),
}


@pytest.mark.parametrize(("content", "expected"), CONFIGS.values(), ids=CONFIGS)
def test_a_malformed_configuration_is_one_line(here, capsys, content, expected):
    (here / "study.yaml").write_text(content)
    assert expected in refused(capsys, "--config", "study.yaml")


def test_a_configuration_that_is_not_there_or_no_text(here, capsys):
    assert "study.yml cannot be read (No such file or directory)" in refused(capsys, "--config", "study.yml")
    (here / "study.yaml").write_bytes(b"case: d\xe9")
    assert "study.yaml is not UTF-8" in refused(capsys, "--config", "study.yaml")
