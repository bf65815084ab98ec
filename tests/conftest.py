"""For all tests."""

import atexit
import gc
import os
import shutil
import tempfile

import pytest

from pairing import pair

# what another run compiles, or was killed while it compiled, may be half written
folder = tempfile.mkdtemp(prefix="equipoise-compiled-")
atexit.register(shutil.rmtree, folder, ignore_errors=True)
os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder


@pytest.hookimpl(tryfirst=True)  # before ``-m`` chooses
def pytest_collection_modifyitems(items):
    pair(items)


def pytest_collection_finish():
    """What was imported lives to the end: a collection in a test need not look through it."""
    gc.freeze()
