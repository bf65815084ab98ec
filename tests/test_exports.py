"""Exports of methods are as ``docs/write.py`` writes them; nothing here needs them, since the package may need them."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs"))

from written import exports  # noqa: E402


@pytest.mark.parametrize("path", exports.FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_is_as_it_is_written(path):
    is_fresh = path.read_text(encoding="utf-8") == exports.FILES[path]()
    assert is_fresh, f"{path.relative_to(ROOT)} is stale: run python docs/write.py"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two methods, one of them in no row."""
    files = {
        "registry/rows.py": "from equipoise import weighting\n"
        "ROWS = [weighting.Second, weighting.ONE, weighting.Third]\n",
        "weighting/__init__.py": '"""Kept."""\nold = 1\n',
        "weighting/b_one.py": "class ONE:\n    pass\n",
        "weighting/second.py": "class Second:\n    pass\n\n\nclass Helper:\n    pass\n\n\nclass Third:\n    pass\n",
        "public.py": '"""All."""\nfrom equipoise.method import Method\nfrom equipoise.weighting import Gone\n',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(exports, "PACKAGE", tmp_path)
    monkeypatch.setattr(exports, "PACKAGES", ("weighting",))
    return tmp_path


def test_what_a_row_names_is_exported_and_nothing_else(package):
    assert exports.package_text("weighting") == (
        '"""Kept."""\n\nfrom equipoise.weighting.b_one import ONE\n'
        "from equipoise.weighting.second import Second, Third\n\n"
        '__all__ = [\n    "ONE",\n    "Second",\n    "Third",\n]\n'
    )
    text = exports.public_text()
    assert "from equipoise.method import Method\nfrom equipoise.weighting import ONE, Second, Third\n" in text
    assert ast.literal_eval(text.partition("__all__ = ")[2]) == ["ONE", "Method", "Second", "Third"]


def test_a_row_of_a_class_that_is_nowhere_is_named(package):
    (package / "registry" / "rows.py").write_text("from equipoise import weighting\nROWS = [weighting.Fourth]\n")
    with pytest.raises(ValueError, match=r"names weighting\.Fourth: no file in weighting/ has that class"):
        exports.package_text("weighting")
