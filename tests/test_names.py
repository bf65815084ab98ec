"""One name, one thing."""

import ast
from collections import defaultdict
from pathlib import Path

import equipoise

SOURCE = Path(equipoise.__file__).parent


def class_names(sources: dict[str, str]) -> dict[str, list[str]]:
    """Where each class is defined, nested ones too."""
    found = defaultdict(list)
    for path, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(f"{path}:{node.lineno}")
    return found


def test_the_name_of_a_class_is_unique_in_the_package():
    sources = {str(path.relative_to(SOURCE)): path.read_text() for path in SOURCE.rglob("*.py")}
    assert {name: places for name, places in class_names(sources).items() if len(places) > 1} == {}


def test_a_class_of_the_same_name_is_found():
    found = class_names({"a.py": "class Plan: ...", "b.py": "def f():\n    class Plan: ..."})
    assert found == {"Plan": ["a.py:1", "b.py:2"]}


def test_kinds_of_task_have_one_spelling():
    files = [path for path in [*SOURCE.rglob("*.py"), *(SOURCE.parents[1] / "docs").glob("*.md")] if path.is_file()]
    assert [path.name for path in files if "multi-class" in path.read_text() or "multi-label" in path.read_text()] == []
