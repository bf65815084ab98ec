"""The examples are what these tests run; they import their neighbours by name."""

import examples_folder  # noqa: F401  makes the examples importable
import pytest


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder: trainers and examples write below it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
