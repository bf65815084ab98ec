import shutil

import pytest
from made_study import Folder, make_study


@pytest.fixture(scope="session")
def study(tmp_path_factory) -> Folder:
    return make_study(tmp_path_factory.mktemp("study"))


@pytest.fixture
def make(tmp_path):
    """Builds a folder in a fresh place; keyword arguments as in ``make_study``."""

    def build(**changes) -> Folder:
        shutil.rmtree(tmp_path / "study", ignore_errors=True)
        (tmp_path / "study").mkdir()
        return make_study(tmp_path / "study", **changes)

    return build
