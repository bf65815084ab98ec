"""For all tests."""

import atexit
import os
import shutil
import tempfile
from collections import defaultdict

import pytest

# what another run compiles, or was killed while it compiled, may be half written
folder = tempfile.mkdtemp(prefix="equipoise-compiled-")
atexit.register(shutil.rmtree, folder, ignore_errors=True)
os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder


def places_of(grid):
    """For each parameter of the items of a test, the place of each item's value; what moves together is one."""
    axes = {}
    for name in grid[0].callspec.params:
        met = {}
        places = tuple(met.setdefault(id(item.callspec.params[name]), len(met)) for item in grid)
        axes[places] = len(met)
    return axes


@pytest.hookimpl(tryfirst=True)  # before ``-m`` chooses
def pytest_collection_modifyitems(items):
    """Of the cross of a ``paired`` test's parameters, the default suite has one combination for each longest value.

    The others are slow. The combinations take turns, so that each is met if the longest has enough values.
    """
    grids = defaultdict(list)
    for item in items:
        if item.get_closest_marker("paired"):
            grids[item.nodeid.partition("[")[0]].append(item)
    for grid in grids.values():
        axes = places_of(grid)
        longest = max(axes, key=axes.__getitem__)
        for number, item in enumerate(grid):
            turn = longest[number]
            for places, size in axes.items():
                if places is not longest:
                    if places[number] != turn % size:
                        item.add_marker("slow")
                        break
                    turn //= size
