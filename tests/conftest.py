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

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

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


def absent(reason):
    """Skips on a developer's machine, fails where the suite must be complete."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@pytest.fixture(scope="session")
def browser():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        absent("playwright is not installed: pip install playwright")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        absent("no browser: install chromium, chromium-browser or google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()
