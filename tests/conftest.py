"""For all tests."""

import atexit
import functools
import gc
import os
import shutil
import sys
import tempfile

import pytest

from needed import skip_what_lacks
from pairing import pair

# what another run compiles, or was killed while it compiled, may be half written
folder = tempfile.mkdtemp(prefix="equipoise-compiled-")
atexit.register(shutil.rmtree, folder, ignore_errors=True)
os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder


@pytest.hookimpl(tryfirst=True)  # before ``-m`` chooses
def pytest_collection_modifyitems(items):
    pair(items)
    skip_what_lacks(items)


def pytest_collection_finish():
    """What was imported lives to the end, so that the collector need not look through it; reviews are read once."""
    if cases := sys.modules.get("equipoise.lab.cases"):
        cases.CASES["reviews"] = functools.cache(cases.CASES["reviews"])
    gc.freeze()


@pytest.fixture(scope="session")
def save_blank():
    """In place of a report's ``save``: image files are empty."""

    def save(chart, look, folder):
        for path in (folder / f"{chart.name}.png", folder / f"{chart.name}.svg"):
            if chart.panels:
                path.write_bytes(b"")
            else:
                path.unlink(missing_ok=True)

    return save


@pytest.fixture
def blank_images(monkeypatch, save_blank):
    """Reports whose image files are empty: to draw them takes twenty times as long as all the rest."""
    monkeypatch.setattr("equipoise.lab.reports.report.save", save_blank)
