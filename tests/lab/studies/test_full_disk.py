"""A disk that is full at any moment: one line, and the same command resumes."""

import contextlib
import errno
import os
import subprocess
import sys

import pytest
from test_damaged_folder import COMPARE, SAME, TUNE, command, quick, whole  # noqa: F401


@contextlib.contextmanager
def full_after(count):
    """The disk takes so many files."""
    original, taken = os.fsync, []

    def fsync(file):
        taken.append(file)
        if len(taken) > count:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(file)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "name", "count"),
    [(COMPARE, "study", count) for count in (0, 3, 20, 40)] + [(TUNE, "search", count) for count in (0, 2, 9, 30)],
)
def test_a_full_disk_is_one_line_and_the_same_command_resumes(whole, tmp_path, words, name, count):  # noqa: F811
    folder = tmp_path / "study"
    with full_after(count):
        status, said = command(words, folder)
    assert status in (1, 2)
    last = said.splitlines()[-1]
    assert last.startswith("equipoise: ")
    assert "No space left on device" in last
    assert str(folder) in last
    status, said = command(words, folder)
    assert status == 0, said
    for file in SAME[words]:
        assert (folder / file).read_bytes() == (whole / name / file).read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_files_that_grow_too_large_in_every_worker_are_one_line(whole, tmp_path):  # noqa: F811
    """A checkpoint of the tiny case has more than 8 kB, everything before it less."""
    words = [word.replace("--tuned-trials=2", "--tuned-trials=0") for word in COMPARE]
    limited = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000)); "
    limited += "from equipoise.cli import main; sys.exit(main(sys.argv[1:]))"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(
        [sys.executable, "-c", limited, *words, f"--out={tmp_path / 'study'}"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert ended.returncode == 1, ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    (line,) = ended.stderr.splitlines()
    assert "finished; sum, seed 0 failed: " in line
    assert "File too large" in line
    assert "checkpoint.pt" in line
    status, said = command(words, tmp_path / "study")
    assert status == 0, said
