"""The names of methods, metrics and cases as types, which editors complete."""

import textwrap
from functools import partial
from pathlib import Path

import equipoise as eq
from equipoise.lab.cases import CASES
from equipoise.lab.metrics import metric_names

PACKAGE = Path(__file__).parents[2] / "src" / "equipoise"
NAMES = {
    "MethodName": [row.name for row in eq.methods()],
    "MetricName": list(metric_names()),
    "CaseName": list(CASES),
}
PATHS = {
    "MethodName": PACKAGE / "registry" / "method_names.py",
    "MetricName": PACKAGE / "lab" / "metrics" / "metric_names.py",
    "CaseName": PACKAGE / "lab" / "case_names.py",
}


def module(type_name: str) -> str:
    """The text of the module that has the names."""
    what = type_name.removesuffix("Name").lower()
    names = textwrap.fill(", ".join(f'"{name}"' for name in NAMES[type_name]), 116, break_on_hyphens=False)
    return (
        f'"""The names of all {what}s as a type; written by ``python docs/write.py``."""\n\n'
        "from typing import Literal\n\n"
        f"# fmt: off\n{type_name} = Literal[\n{textwrap.indent(names, '    ')},\n]\n"
    )


FILES = {path: partial(module, type_name) for type_name, path in PATHS.items()}
