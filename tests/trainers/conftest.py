"""The examples are what these tests run; they import their neighbours by name."""

import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "trainers"
sys.path.insert(0, str(EXAMPLES))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder: trainers and examples write below it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
