"""What is kept is whole, and nothing else stays behind."""

import subprocess
import sys

import numpy as np

from equipoise.lab.data.folder import read_cached, write_cached

RESULT = np.arange(1000)
KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from equipoise.lab.data.folder import write_cached

def half(file, result):
    file.write(b"half of it")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)

np.save = half
write_cached(np.arange(1000), Path(sys.argv[1]))
"""


def test_what_a_killed_writer_leaves_is_no_result_and_goes_with_the_next(tmp_path):
    path = tmp_path / "rows.npy"
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert [left.suffix for left in tmp_path.iterdir()] == [".part"]
    other = tmp_path / "other.npy"
    write_cached(RESULT, other)
    assert len(list(tmp_path.iterdir())) == 2  # what may be the work of a writer of something else stays
    write_cached(RESULT, path)
    assert sorted(tmp_path.iterdir()) == [other, path]
    assert (np.load(path) == RESULT).all()


def test_a_name_with_brackets_is_that_name_and_no_other(tmp_path):
    other = tmp_path / "rows1.npy.part"  # of a writer of rows1.npy
    left = tmp_path / "rows[1].npy.part"
    other.touch()
    left.touch()
    write_cached(RESULT, tmp_path / "rows[1].npy")
    assert sorted(tmp_path.iterdir()) == [other, tmp_path / "rows[1].npy"]


def test_two_that_write_the_same_leave_one_whole_result(tmp_path, monkeypatch):
    path, save = tmp_path / "rows.npy", np.save

    def interrupted(file, result):
        file.write(b"half of it")
        monkeypatch.setattr(np, "save", save)
        write_cached(RESULT, path)  # the other, from its beginning to its end
        assert (np.load(path) == RESULT).all()
        file.seek(0)
        save(file, result)

    monkeypatch.setattr(np, "save", interrupted)
    write_cached(RESULT, path)
    assert list(tmp_path.iterdir()) == [path]
    assert (np.load(path) == RESULT).all()


def test_a_full_disk_leaves_nothing_and_a_folder_that_cannot_be_made_is_no_error(tmp_path, monkeypatch):
    def full(file, result):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    write_cached(RESULT, tmp_path / "rows.npy")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    write_cached(RESULT, tmp_path / "file" / "rows.npy")
    assert [left.name for left in tmp_path.iterdir()] == ["file"]


def test_what_is_not_as_it_was_written_is_computed_anew(tmp_path):
    path = tmp_path / "rows.npy"
    assert read_cached(path) is None
    write_cached(RESULT, path)
    content = path.read_bytes()
    assert (read_cached(path) == RESULT).all()
    for damaged in (b"", content[:-40], content[:500] + b"x" + content[501:]):
        path.write_bytes(damaged)
        assert read_cached(path) is None
