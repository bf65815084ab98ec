"""What Windows or macOS lack is taken away here, and what stands in its place is looked at."""

import io
import ntpath
import os
import signal
import sys
from errno import EACCES, EINVAL
from math import isnan
from multiprocessing import get_context
from types import SimpleNamespace

import pytest
import torch
from accelerate.state import AcceleratorState

from equipoise.cli import main
from equipoise.lab.files import open_lock_file, try_lock, write_text
from equipoise.lab.reports.html import link_from
from equipoise.lab.search.trial_store import alive, has_ended
from equipoise.lab.training import measurements, workers
from equipoise.lab.training.device import make_accelerator

posix = pytest.mark.skipif(sys.platform == "win32", reason="takes away what Windows does not have")


@pytest.fixture
def without_fcntl(monkeypatch):
    """Only ``msvcrt`` locks files: the bytes from where the file stands, an error where another has them."""
    import fcntl

    def locking(number, mode, count):
        assert (mode, count, os.lseek(number, 0, os.SEEK_CUR)) == (2, 1, 0)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PermissionError(EACCES, "Permission denied") from None

    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(LK_NBLCK=2, locking=locking))


@posix
def test_files_are_locked_without_fcntl(without_fcntl, tmp_path):
    with open_lock_file(tmp_path / "lock") as first, open_lock_file(tmp_path / "lock") as second:
        assert try_lock(first)
        assert not try_lock(second)
        first.close()
        assert try_lock(second)
    with alive(tmp_path) as name:
        assert not has_ended(tmp_path, name)
    assert has_ended(tmp_path, name)


@posix
def test_an_error_that_is_no_other_lock_is_not_taken_for_one(without_fcntl, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys.modules["msvcrt"], "locking", full)
    with open_lock_file(tmp_path / "lock") as file, pytest.raises(OSError, match="No space"):
        try_lock(file)


def test_a_worker_that_was_killed_is_told_without_the_names_of_signals(monkeypatch):
    monkeypatch.delattr(signal, "SIGKILL")
    assert workers._exit_words(-9) == "signal 9, perhaps for lack of memory"
    assert workers._exit_words(1) == "status 1"  # Process.kill() of Windows


def test_a_mac_trains_on_its_processor(monkeypatch):
    """Its GPU has no float64."""
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    AcceleratorState._reset_state(reset_partial_state=True)
    try:
        assert make_accelerator().device.type == "cpu"
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="takes away what Windows does not have")
def test_a_link_is_not_written_through_without_the_flag_for_it(monkeypatch, tmp_path):
    monkeypatch.delattr(os, "O_NOFOLLOW")
    (tmp_path / "theirs.txt").write_text("theirs", encoding="utf-8")
    (tmp_path / "mine.txt.unfinished").symlink_to(tmp_path / "theirs.txt")
    write_text(tmp_path / "mine.txt", "mine")
    assert [(tmp_path / name).read_text(encoding="utf-8") for name in ("mine.txt", "theirs.txt")] == ["mine", "theirs"]


def test_memory_is_unknown_where_the_system_does_not_tell_it(monkeypatch, tmp_path):
    monkeypatch.setattr(measurements, "_PROCESS", tmp_path / "proc")
    measurements.reset_peak(torch.device("cpu"))
    assert isnan(measurements.peak_mb(torch.device("cpu")))


def test_a_page_on_another_drive_links_by_a_whole_path(monkeypatch, tmp_path):
    assert link_from(tmp_path / "pages" / "a.html", tmp_path / "my study") == "../my%20study"
    monkeypatch.setattr(os.path, "relpath", lambda *_: ntpath.relpath("C:\\study", "D:\\pages"))
    assert link_from(tmp_path / "a.html", tmp_path / "my study") == (tmp_path / "my study").as_uri()


RESULTS = "method,seed,task,metric,value\n" + "".join(
    f"{method},{seed},a,rmse,{1 + seed * gain}\n" for method, gain in (("sum", 0.1), ("uw", 0.2)) for seed in range(3)
)


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii"])
def test_results_are_printed_where_letters_are_few(encoding, monkeypatch, tmp_path):
    """A pipe or a file of Windows is written in the code page of the country."""
    (tmp_path / "results.csv").write_text(RESULTS, encoding="utf-8")
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding=encoding))
    assert main(["judge", str(tmp_path / "results.csv"), "--verbose"]) == 0
    sys.stdout.flush()
    assert b"uw" in printed.getvalue()


def test_a_pager_that_is_closed_early_ends_a_list_on_windows_too(monkeypatch):
    """There the error is ``EINVAL``."""

    def write(_):
        raise OSError(EINVAL, "Invalid argument")

    copied = []
    monkeypatch.setattr(os, "dup2", lambda *numbers: copied.append(numbers))
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(write=write, flush=lambda: None, fileno=lambda: 1))
    assert main(["methods", "uw"]) == 0
    assert len(copied) == 1


def answer(item, report):
    return item


@pytest.mark.slow  # a worker is a fresh interpreter
@posix
def test_a_worker_leaves_ctrl_c_to_its_parent_also_where_it_does_not_inherit_that():
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=workers._serve, args=(theirs,))
    process.start()
    theirs.close()
    try:
        for item in ("before", "after"):
            ours.send((answer, item))
            assert ours.recv() == ("finished", (item,))
            os.kill(process.pid, signal.SIGINT)
    finally:
        process.kill()
