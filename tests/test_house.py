"""Imports go down only, the core stands on torch and numpy, and importing it loads no workbench."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import equipoise

SOURCE = Path(equipoise.__file__).parent

# From the ground up; a room may import rooms of lower floors, and its own files. "" is equipoise/__init__.py.
FLOORS = [
    ["aggregation.solvers", "task_weights", "names", "plain", "own_file", "interrupt"],
    ["tasks", "method", "record"],
    ["weighting", "aggregation", "wrapping", "gradients", "losses", "step", "monitor"],
    ["registry", "balancer"],
    ["criterion", "doctor"],
    ["", "testing"],
    ["lab.files"],
    ["lab.data", "lab.models", "lab.metrics", "trainers"],
    ["lab.exhibits"],
    ["lab.cases", "lab.training", "lab.evaluation"],
    ["lab.studies", "lab.reports"],
    ["lab.search", "lab.probe"],
    ["lab.api"],
    ["shelf"],
    ["cli"],
    ["__main__"],
]
HEIGHT = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
CORE_TOP = HEIGHT["testing"]
CORE_FOUNDATION = {"torch", "numpy", *sys.stdlib_module_names}


def room_of(module: str) -> str | None:
    """The innermost room that holds a module, named without ``equipoise.``; None where there is none."""
    parts = module.split(".")
    prefixes = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next((prefix for prefix in prefixes if prefix in HEIGHT), None)


def imported(source: str, module: str, modules: set[str], is_package: bool) -> set[str]:
    """Full names of all modules that a source imports, inside functions too; of names from a module, the module."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = ["equipoise", *(part for part in module.split(".") if part)]
                above = package[: len(package) - node.level + is_package]
                base = ".".join([*above, *([base] if base else [])])
            inside = {f"{base}.{alias.name}" for alias in node.names if f"{base}.{alias.name}" in modules}
            found |= inside or {base}
    return found


def violations(sources: dict[str, str]) -> list[str]:
    """What is wrong with a house, given as {path below equipoise/: source}."""
    modules, packages = {}, set()
    for path, source in sources.items():
        parts = path.removesuffix(".py").split("/")
        if parts[-1] == "__init__":
            parts.pop()
            packages.add(".".join(parts))
        modules[".".join(parts)] = source
    full = {f"equipoise.{module}".rstrip(".") for module in modules}
    wrong = []
    for module, source in modules.items():
        room = room_of(module) if module else ""
        found = imported(source, module, full, module in packages)
        if module == "lab":  # the workbench's front door leads to its API, when it is asked for
            inside = {
                name for name in found if name.startswith("equipoise") and not name.startswith("equipoise.lab.api.")
            }
            wrong += [f"lab imports {name}" for name in sorted(inside)]
            continue
        if room is None:
            wrong.append(f"{module} is in no room of the house")
            continue
        for name in sorted(found):
            top, _, below = name.partition(".")
            if top != "equipoise":
                if HEIGHT[room] <= CORE_TOP and top not in CORE_FOUNDATION:
                    wrong.append(f"{module} of the core imports {name}")
                continue
            other = room_of(below) if below else ""
            if other is None:
                wrong.append(f"{module} imports {name}, which is in no room of the house")
            elif other != room and HEIGHT[other] >= HEIGHT[room]:
                wrong.append(f"{module} imports {name}: {'up' if HEIGHT[other] > HEIGHT[room] else 'sideways'}")
    return wrong


def test_the_house_stands():
    sources = {str(path.relative_to(SOURCE)): path.read_text() for path in SOURCE.rglob("*.py")}
    assert len(sources) > 30
    assert violations(sources) == []


SOUND = {
    "__init__.py": "from equipoise.balancer import Balancer\nfrom equipoise.method import Sum\n",
    "method.py": "import torch\nfrom typing import Any\n",
    "tasks.py": "import torch\n",
    "record.py": "import math\n",
    "balancer.py": "from equipoise.method import Sum\nfrom equipoise.gradients.rows import Rows\n",
    "weighting/__init__.py": "from equipoise.weighting.uw import UW\n",
    "weighting/uw.py": "from equipoise.method import Weighting\nfrom . import dwa\n",
    "weighting/dwa.py": "import numpy.typing as npt\n",
    "aggregation/mgda.py": "from equipoise.aggregation.solvers.min_norm import min_norm\n",
    "aggregation/solvers/min_norm.py": "import numpy as np\n",
    "gradients/rows.py": "import torch\n",
    "testing/check.py": "from equipoise.balancer import Balancer\n",
    "lab/__init__.py": "",
    "lab/data/split.py": "import hashlib\n",
    "lab/cases/reviews.py": "import equipoise as eq\nimport scipy\nfrom equipoise.lab.data import split\n",
    "lab/training/loop.py": "import accelerate\nfrom equipoise import Balancer\n",
    "lab/studies/study.py": "from equipoise.lab.training.loop import train\n",
    "cli.py": "def main():\n    from equipoise.lab.studies.study import Study\n",
    "__main__.py": "from equipoise.cli import main\n",
}


def test_a_sound_house_is_left_in_peace():
    assert violations(SOUND) == []


@pytest.mark.parametrize(
    ("path", "line", "message"),
    [
        ("method.py", "from equipoise.balancer import Balancer", "method imports equipoise.balancer: up"),
        ("method.py", "from equipoise.tasks import nearest", "method imports equipoise.tasks: sideways"),
        ("method.py", "from equipoise import tasks", "method imports equipoise.tasks: sideways"),
        ("method.py", "from equipoise import Balancer", "method imports equipoise: up"),
        ("method.py", "import equipoise as eq", "method imports equipoise: up"),
        ("method.py", "from . import tasks", "method imports equipoise.tasks: sideways"),
        ("method.py", "from .balancer import Balancer", "method imports equipoise.balancer: up"),
        ("weighting/uw.py", "from ..gradients import rows", "weighting.uw imports equipoise.gradients.rows: sideways"),
        ("weighting/__init__.py", "from ..balancer import B", "weighting imports equipoise.balancer: up"),
        (
            "weighting/uw.py",
            "import equipoise.aggregation.mgda",
            "imports equipoise.aggregation.mgda: side",
        ),
        (
            "aggregation/solvers/min_norm.py",
            "from equipoise.aggregation.mgda import MGDA",
            "aggregation.solvers.min_norm imports equipoise.aggregation.mgda: up",
        ),
        ("balancer.py", "import equipoise.registry", "balancer imports equipoise.registry: sideways"),
        (
            "balancer.py",
            "def f():\n    from equipoise.lab.data import split",
            "equipoise.lab.data.split: up",
        ),
        (
            "balancer.py",
            "if TYPE_CHECKING:\n    from equipoise.testing import Law",
            "imports equipoise.testing: up",
        ),
        ("testing/check.py", "import equipoise.lab.data.split", "testing.check imports equipoise.lab.data.split: up"),
        ("__init__.py", "from equipoise.lab.data.split import f", " imports equipoise.lab.data.split: up"),
        ("__init__.py", "from equipoise import cli", " imports equipoise.cli: up"),
        (
            "lab/data/split.py",
            "from equipoise.lab.cases.reviews import r",
            "equipoise.lab.cases.reviews: up",
        ),
        ("lab/cases/reviews.py", "from equipoise.lab.training import loop", "equipoise.lab.training.loop: sideways"),
        ("lab/training/loop.py", "import equipoise.lab.studies.study", "equipoise.lab.studies.study: up"),
        ("lab/studies/study.py", "from equipoise.cli import main", "lab.studies.study imports equipoise.cli: up"),
        ("lab/__init__.py", "from equipoise.lab.data import split", "lab imports equipoise.lab.data.split"),
        ("method.py", "import scipy", "method of the core imports scipy"),
        ("balancer.py", "def f():\n    from scipy.linalg import solve", "balancer of the core imports scipy.linalg"),
        ("testing/check.py", "import pytest", "testing.check of the core imports pytest"),
        ("__init__.py", "import rich.console", " of the core imports rich.console"),
        ("utils.py", "import os", "utils is in no room of the house"),
        ("lab/helpers/text.py", "import os", "lab.helpers.text is in no room of the house"),
        ("cli.py", "from equipoise.lab.helpers import text", "which is in no room of the house"),
    ],
)
def test_a_crack_is_found(path, line, message):
    found = violations({**SOUND, path: f"{SOUND.get(path, '')}\n{line}\n"})
    assert len(found) == 1
    assert message in found[0]


def test_importing_equipoise_loads_no_workbench():
    script = "import sys, equipoise; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "equipoise.balancer" in loaded
    heavy = (
        "equipoise.lab",
        "equipoise.cli",
        "equipoise.shelf",
        "equipoise.testing",
        "equipoise.trainers",
        "accelerate",
        "transformers",
        "scipy",
        "plotly",
        "rich",
    )
    assert [name for name in loaded if name.startswith(heavy)] == []
