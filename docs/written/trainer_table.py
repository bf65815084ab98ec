"""The table of docs/trainers.md, from the first line of each example.

That is ``TRAINER: the line; more words.``, with the line, or a part of it, as code. A trainer that has a page in
``docs/integrations/`` leads there: the page names the example.
"""

import ast
import re
import sys
from pathlib import Path

from written.table import with_rows

DOCS = Path(__file__).parents[1]
PAGE, EXAMPLES = DOCS / "trainers.md", DOCS.parent / "examples" / "trainers"
LINE = re.compile(r"(?P<trainer>[^`:]+): (?P<line>[^;]*``[^;]*?)(?:; .*)?\.?")


def imports(path: Path) -> set[str]:
    """The packages that a file imports, by their first name."""
    nodes = [*ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


def first_line(path: Path) -> str:
    """Of its docstring."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def order(path: Path) -> tuple[bool, bool, str]:
    """Those that train the problem beside them first, by a plain loop before a trainer's."""
    others = imports(path) - {*sys.stdlib_module_names, "equipoise", "torch", "numpy", "problem"}
    return "problem" not in imports(path), bool(others), first_line(path).lower()


def row(path: Path, pages: dict[str, str]) -> str:
    """The line of an example; ``pages`` are those of the integrations, by their path.

    Raises:
        ValueError: If the first line of the example has another form.
    """
    if (found := LINE.fullmatch(first_line(path))) is None:
        raise ValueError(f"{path.name} must begin with 'TRAINER: ``the line``; more words.', got {first_line(path)!r}")
    name = found["trainer"]
    page = next((place for place, text in pages.items() if f"examples/trainers/{path.name}" in text), None)
    trainer = f"[{name}]({page})" if page else name
    return f"| {trainer} | {found['line'].replace('``', '`')} | [{path.name}](../examples/trainers/{path.name}) |"


def page() -> str:
    """The page, whose other words stay."""
    pages = {
        f"integrations/{path.name}": path.read_text(encoding="utf-8") for path in (DOCS / "integrations").glob("*.md")
    }
    files = [*EXAMPLES.glob("*.py")]
    helpers = set[str]().union(*map(imports, files))  # what an example imports is none
    examples = [path for path in files if path.stem not in helpers]
    return with_rows(PAGE, [row(path, pages) for path in sorted(examples, key=order)])


FILES = {PAGE: page}
