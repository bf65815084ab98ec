"""The table of docs/papers.md: every method with its paper, class, file and tests."""

import ast
import inspect
from collections import Counter
from functools import cache
from pathlib import Path

from equipoise.registry import AROUND, MethodRow, methods
from written.table import with_rows

ROOT = Path(__file__).parents[2]
PACKAGE, PAGE = ROOT / "src" / "equipoise", ROOT / "docs" / "papers.md"
ROWS = (*methods(), *AROUND)


def file_of(row: MethodRow) -> Path:
    """The file of the method."""
    return Path(inspect.getsourcefile(row.cls) or "")


@cache
def identifiers(folder: Path) -> dict[Path, Counter[str]]:
    """How often each file of tests in a folder has which names in its code."""
    found = {}
    for path in sorted(folder.glob("test_*.py")):
        nodes = [*ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
        attributes = [node.attr for node in nodes if isinstance(node, ast.Attribute)]
        found[path] = Counter([*attributes, *(node.id for node in nodes if isinstance(node, ast.Name))])
    return found


def tests_of(row: MethodRow) -> list[Path]:
    """The file of tests of the method's file, else that of its family which names the class most; its parity tests."""
    file, name = file_of(row), row.cls.__name__
    family = ROOT / "tests" / file.parent.relative_to(PACKAGE)
    own = family / f"test_{file.stem}.py"
    named = {path: names[name] for path, names in identifiers(family).items()}
    near = [own] if own.exists() else [path for path, times in named.items() if 0 < times == max(named.values())]
    return [*near[:1], *(path for path, names in identifiers(ROOT / "tests" / "parity").items() if names[name])]


def link(path: Path) -> str:
    """To a file, from docs/."""
    return f"[{path.name}](../{path.relative_to(ROOT).as_posix()})"


def line(row: MethodRow) -> str:
    """The row of a method."""
    tests = ", ".join(map(link, tests_of(row)))
    return f"| `{row.name}` | {row.paper} | `{row.cls.__name__}` | {link(file_of(row))} | {tests} | {row.unverified} |"


def page() -> str:
    """The page, whose other words stay."""
    return with_rows(PAGE, [*map(line, ROWS)])


FILES = {PAGE: page}
