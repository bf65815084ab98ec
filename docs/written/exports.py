"""Imports and ``__all__`` of the packages of methods and of ``public.py``, from the rows of the registry.

Read from the text of the files: they cannot be imported while a row names a class that is not exported.
"""

import ast
import re
from collections.abc import Iterable
from functools import partial
from itertools import chain
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "src" / "equipoise"
PACKAGES = ("aggregation", "weighting", "wrapping")
BASES = {"wrapping": ("Wrapper",)}  # exported, and in no row
WIDTH = 120


def tree(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def in_rows(package: str) -> set[str]:
    """The classes of a package that the registry's rows name, as ``weighting.UW``."""
    nodes = (node for path in (PACKAGE / "registry").glob("*.py") for node in ast.walk(tree(path)))
    found = {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == package
    }
    return found.union(BASES.get(package, ()))


def homes(package: str) -> dict[str, list[str]]:
    """{module: the classes in it} of all that a package exports, by module.

    Raises:
        ValueError: If no file has a class that a row names.
    """
    found = {
        node.name: path.stem
        for path in (PACKAGE / package).glob("*.py")
        for node in tree(path).body
        if isinstance(node, ast.ClassDef)
    }
    named = in_rows(package)
    if missing := sorted(named - found.keys()):
        raise ValueError(f"a row of registry/ names {package}.{missing[0]}: no file in {package}/ has that class")
    modules = sorted({found[name] for name in named})
    return {module: [name for name in named if found[name] == module] for module in modules}


def rank(name: str) -> int:
    """Constants, then classes, then functions: the order of ruff."""
    return 0 if name.isupper() else 1 if name[0].isupper() else 2


def bracketed(names: Iterable[str], opening: str, closing: str) -> str:
    """A list of names, a line each."""
    return "\n".join([opening, *(f"    {name}," for name in names), closing])


def imported(module: str, names: Iterable[str]) -> str:
    """The statement that imports names, in one line where it fits."""
    names = sorted(names, key=lambda name: (rank(name), name.lower()))
    line = f"from {module} import {', '.join(names)}"
    return line if len(line) <= WIDTH else bracketed(names, f"from {module} import (", ")")


def listed(names: Iterable[str]) -> str:
    """The statement ``__all__``."""
    quoted = (f'"{name}"' for name in sorted(names, key=lambda name: (rank(name), name)))
    return bracketed(quoted, "__all__ = [", "]")


def module_text(path: Path, imports: Iterable[str], names: Iterable[str]) -> str:
    """A module of nothing but its docstring, which stays, imports and ``__all__``."""
    docstring = re.match(r'""".*?"""\n', path.read_text(encoding="utf-8"), re.DOTALL)
    assert docstring, path
    return "\n".join([docstring[0], *imports, "", listed(names), ""])


def package_text(package: str) -> str:
    """``aggregation/__init__.py`` and the like."""
    found = homes(package)
    imports = [imported(f"equipoise.{package}.{module}", names) for module, names in found.items()]
    return module_text(PACKAGE / package / "__init__.py", imports, chain.from_iterable(found.values()))


def public_text() -> str:
    """``public.py``: all that it imports by hand stays."""
    path = PACKAGE / "public.py"
    names = {
        str(node.module): [alias.name for alias in node.names]
        for node in tree(path).body
        if isinstance(node, ast.ImportFrom)
    }
    names |= {f"equipoise.{package}": [*chain.from_iterable(homes(package).values())] for package in PACKAGES}
    imports = [imported(module, names[module]) for module in sorted(names)]
    return module_text(path, imports, [name for group in names.values() for name in group])


FILES = {PACKAGE / package / "__init__.py": partial(package_text, package) for package in PACKAGES}
FILES[PACKAGE / "public.py"] = public_text
