"""Files that are there whole, and read only as they were written."""

import contextlib
import csv
import errno
import json
import math
import os
import pickle

import pytest
import torch

from equipoise.lab.files import (
    DamagedError,
    is_transient,
    load_with_checksum,
    read_json,
    read_rows,
    replace_file,
    save_with_checksum,
    write_json,
    write_rows,
)

NAMES = [
    "=cmd|'/c calc'!A1",
    "-x",
    "@a",
    "+1",
    "\tt",
    "\rr",
    "'",
    "'=x",
    "''-x",
    "'plain",
    "-",
    "",
    "rating, net",
    'a"b',
]
COLUMNS = {"name": str, "seed": int, "value": float}


def test_names_that_a_spreadsheet_would_calculate_come_back_as_they_were(tmp_path):
    path = tmp_path / "a.csv"
    rows = [(name, seed, -0.5) for seed, name in enumerate(NAMES)]
    write_rows(path, ("name", "seed", "value", "=1+1"), [(*row, None) for row in rows])
    with path.open(newline="", encoding="utf-8") as file:
        header, *cells = csv.reader(file)
    assert header[3] == "'=1+1"
    assert all(not row[0].startswith(("=", "+", "-", "@", "\t", "\r")) for row in cells)
    assert {row[2] for row in cells} == {"-0.5"}  # a number stays one
    read = read_rows(path, COLUMNS)
    assert [(row["name"], int(row["seed"]), float(row["value"])) for row in read] == rows
    assert set(read[0]) == {"name", "seed", "value", "=1+1"}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e-320, -0.0, 1 / 3])
def test_numbers_come_back_as_they_were(tmp_path, value):
    write_rows(tmp_path / "a.csv", ("name", "seed", "value"), [("a", 0, value)])
    (row,) = read_rows(tmp_path / "a.csv", COLUMNS)
    assert repr(float(row["value"])) == repr(value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is damaged"),
        (b"name,seed\na,1\n", "no column 'value'"),
        (b"name,seed,value\na,1\n", "row 2 has 2 cells, the header has 3"),
        (b"name,seed,value\na,1,0.5\nb,x,0.5\n", "row 3, column 'seed': 'x' is no number"),
        (b"name,seed,value\na,-1,0.5\n", "column 'seed'"),
        (b"name,seed,value\na,1,\n", "row 2, column 'value': '' is no number"),
        (b'name,seed,value\na,1,"0.5\n', "is damaged"),
        (b"\xff\xfe\x00", "is damaged"),
    ],
)
def test_a_table_of_another_shape_is_named(tmp_path, content, message):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(DamagedError, match=rf"a\.csv is damaged .*{message.replace('is damaged', '')}.*: delete it; "):
        read_rows(path, COLUMNS)


CONTENT = {"a": [1, 0.5, None, math.inf], "b": {"ä": "x", "2": True, "10": 1}}


def test_an_object_comes_back_as_it_was(tmp_path):
    write_json(tmp_path / "a.json", CONTENT)
    assert read_json(tmp_path / "a.json") == CONTENT
    time = (tmp_path / "a.json").stat().st_mtime_ns
    write_json(tmp_path / "a.json", CONTENT)
    assert (tmp_path / "a.json").stat().st_mtime_ns == time  # what is as it was is not newer


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"null", b"[]", b"3", b"\xff\x00", b'{"a":1}', b"[" * 100_000])
def test_an_object_of_nobody_is_named(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(DamagedError, match=r"a\.json (is damaged|carries no checksum).*: delete it; "):
        read_json(path)


def test_every_change_of_an_object_is_seen(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, CONTENT)
    for key, value in (("a", [1, 0.5, None, 1e300]), ("b", 1), ("c", 0), ("sha256", "0" * 64)):
        path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
        with pytest.raises(DamagedError, match="checksum does not fit"):
            read_json(path, checksum_required=False)
        path.unlink()
        write_json(path, CONTENT)


def test_a_checkpoint_comes_back_and_every_flipped_bit_is_seen(tmp_path):
    path = tmp_path / "a.pt"
    save_with_checksum(path, {"a": torch.arange(3.0)})
    content = path.read_bytes()
    assert torch.equal(load_with_checksum(path)["a"], torch.arange(3.0))
    assert torch.equal(torch.load(path, weights_only=True)["a"], torch.arange(3.0))  # torch alone reads it too
    for place in range(0, len(content), 97):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        with pytest.raises(DamagedError, match=r"a\.pt is damaged .*: delete it; "):
            load_with_checksum(path)
    for cut in (0, 10, len(content) - 1):
        path.write_bytes(content[:cut])
        with pytest.raises(DamagedError):
            load_with_checksum(path)


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


WRITES = {
    "json": lambda path: write_json(path, {"a": list(range(10_000))}),
    "csv": lambda path: write_rows(path, ["a"], [[i] for i in range(10_000)]),
    "torch": lambda path: save_with_checksum(path, {"a": torch.ones(10_000)}),
}


@contextlib.contextmanager
def files_of_at_most(size):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("fails", ["full disk", "file too large"])
def test_what_cannot_be_written_names_the_file_and_leaves_what_was_there(tmp_path, monkeypatch, write, fails):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    if fails == "full disk":
        monkeypatch.setattr(os, "fsync", full)
    with (
        files_of_at_most(10**9 if fails == "full disk" else 2_000),
        pytest.raises(OSError, match=r"No space left on device|File too large") as caught,
    ):
        write(path)
    assert caught.value.filename == str(path)
    assert is_transient(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]
    assert path.read_bytes() == b"old"


def test_a_link_in_the_place_of_the_new_file_is_not_followed(tmp_path):
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "a.unfinished").symlink_to(tmp_path / "theirs")
    replace_file(tmp_path / "a", lambda file: file.write(b"ours"))
    assert (tmp_path / "theirs").read_text() == "theirs"
    assert (tmp_path / "a").read_bytes() == b"ours"


def caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (OSError(28, "full"), True),
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you tried"),
            True,
        ),
        (caused(RuntimeError("wrapped"), OSError(5, "I/O error")), True),
        (ValueError("alpha must be positive"), False),
        (RuntimeError("no step was taken"), False),
        (KeyError("a"), False),
        (pickle.UnpicklingError("x"), False),
    ],
)
def test_transient_errors_are_those_of_disk_and_memory(error, transient):
    assert is_transient(error) is transient
