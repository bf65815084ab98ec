"""A file of the user's imports what lies beside it, and nothing of another folder's by mistake."""

import hashlib
import os
import subprocess
import sys

import pytest

from equipoise import own_file
from equipoise.own_file import content_hash, run_file


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """What a test puts on the path and imports is gone after it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(own_file, "_FOLDERS", [])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def write(tmp_path):
    def write(**texts):
        """Files by name, ``a__b`` for a/b.py; the path of the first."""
        paths = [tmp_path / f"{name.replace('__', os.sep)}.py" for name in texts]
        for path, text in zip(paths, texts.values(), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return str(paths[0])

    return write


def test_modules_and_packages_beside_it_are_imported_also_when_a_function_is_called(write):
    path = write(
        one__case="from own_helper import two\nfrom own_parts.deep import three\n"
        "def late():\n    import own_late\n    return own_late.FOUR\n",
        one__own_helper="import own_further\ntwo = own_further.two",
        one__own_further="two = 2",
        one__own_late="FOUR = 4",
    )
    write(
        one__own_parts____init__="",
        one__own_parts__deep="from .deeper import three",
        one__own_parts__deeper="three = 3",
    )
    module = run_file(path)
    assert (module.two, module.three, module.late()) == (2, 3, 4)


def test_the_hash_is_of_all_that_it_imports_beside_it_and_of_no_other_file(write):
    path = write(case="import torch\n", own_other="x = 1")
    alone = content_hash(path)
    assert alone == hashlib.sha256(b"import torch\n").hexdigest()
    write(own_other="x = 2")
    assert content_hash(path) == alone
    write(case="def late():\n    import own_helper\n", own_helper="import own_other")
    first = content_hash(path)
    write(own_other="x = 3")
    assert content_hash(path) != first


def test_what_changed_beside_it_runs_again(write):
    path = write(case="import own_helper\nx = own_helper.x", own_helper="x = 1")
    first = run_file(path)
    same = sys.modules["own_helper"]
    assert run_file(path).own_helper is same
    write(own_helper="x = 2  # changed")
    assert (first.x, run_file(path).x) == (1, 2)


def test_a_neighbour_of_another_folders_file_is_never_taken_for_ones_own(write):
    first = write(one__case="import own_helper", one__own_helper="")
    second = write(two__case="import own_helper", two__own_helper="")
    run_file(first)
    with pytest.raises(ValueError, match=r"two.case\.py' imports 'own_helper', which is .*one.own_helper\.py already"):
        run_file(second)


def test_what_is_installed_comes_before_a_file_or_folder_of_that_name(write, tmp_path):
    path = write(case="import statistics, torch", statistics="1 / 0")
    (tmp_path / "torch").mkdir()  # what a program wrote there
    assert hasattr(run_file(path).statistics, "fmean")


def test_a_worker_process_finds_them_too(write):
    path = write(case="from own_helper import x", own_helper="x = 5")
    code = f"from equipoise.own_file import run_file; print(run_file({path!r}).x)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "5\n"
