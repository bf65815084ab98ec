"""Imports keep the contracts of pyproject.toml, and the core needs no more than its dependencies, nor the workbench."""

import ast
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import grimp
import pytest
from importlinter.cli import lint_imports

import equipoise
from equipoise.lab.extra import PACKAGES

SOURCE = Path(equipoise.__file__).parent
CONTRACTS = Path(__file__).parents[1] / "pyproject.toml"
LATER_THAN_3_10 = {
    *("LiteralString", "Never", "NotRequired", "ReadOnly", "Required", "Self", "TypeAliasType", "TypeIs"),
    *("TypeVarTuple", "Unpack", "assert_never", "assert_type", "clear_overloads", "dataclass_transform"),
    *("get_overloads", "get_protocol_members", "is_protocol", "override", "reveal_type"),
}
ABOVE_THE_CORE = (
    *("equipoise.lab", "equipoise.trainers", "equipoise.listings", "equipoise.loss_listings", "equipoise.cli"),
    "equipoise.__main__",
)


def test_imports_keep_the_contracts():
    assert lint_imports(config_filename=str(CONTRACTS), no_cache=True, no_logo=True) == 0


def test_the_core_imports_its_three_dependencies_only():
    graph = grimp.build_graph("equipoise", include_external_packages=True, cache_dir=None)
    core = {name for name in graph.modules if name.startswith("equipoise") and not name.startswith(ABOVE_THE_CORE)}
    needed = {other for name in core for other in graph.find_modules_directly_imported_by(name)}
    outside = {name.partition(".")[0] for name in needed} - {"equipoise", *sys.stdlib_module_names}
    assert outside == {"torch", "numpy", "typing_extensions"}


# One import that is wrong in each file, and where the contracts must say that it leads.
VIOLATIONS = [
    ("method.py", "from equipoise.balancer import Balancer", "equipoise.balancer"),
    ("tasks.py", "from . import record", "equipoise.record"),
    ("record.py", "import equipoise as eq", "equipoise"),
    ("names.py", "from equipoise.plain import plain", "equipoise.plain"),
    ("weighting/uw.py", "from ..gradients import rows", "equipoise.gradients.rows"),
    ("weighting/dwa.py", "import equipoise.aggregation.mgda", "equipoise.aggregation.mgda"),
    ("aggregation/solvers/min_norm.py", "from equipoise.aggregation.mgda import MGDA", "equipoise.aggregation.mgda"),
    ("aggregation/solvers/nash.py", "from equipoise.method import Aggregator", "equipoise.method"),
    ("balancer/__init__.py", "import equipoise.registry", "equipoise.registry"),
    ("balancer/decider.py", "def f():\n    from equipoise.lab.data import split", "equipoise.lab.data"),
    ("balancer/joint.py", "if TYPE_CHECKING:\n    from equipoise.testing import Law", "equipoise.testing"),
    ("testing/__init__.py", "import equipoise.lab.files", "equipoise.lab.files"),
    ("criterion.py", "from equipoise import Balancer", "equipoise"),
    ("lab/data/__init__.py", "from equipoise.lab.cases import CASES", "equipoise.lab.cases"),
    ("lab/cases/__init__.py", "from equipoise.lab.training import loop", "equipoise.lab.training"),
    ("lab/training/__init__.py", "import equipoise.lab.studies", "equipoise.lab.studies"),
    ("lab/studies/__init__.py", "from equipoise.cli import main", "equipoise.cli"),
    ("lab/__init__.py", "from equipoise.lab.data import split", "equipoise.lab.data"),
]


@pytest.fixture(scope="module")
def complaints(tmp_path_factory):
    """What is printed about a copy of the package with every import of ``VIOLATIONS``."""
    folder = tmp_path_factory.mktemp("broken")
    shutil.copytree(SOURCE, folder / "equipoise", ignore=shutil.ignore_patterns("__pycache__"))
    for path, line, _ in VIOLATIONS:
        with (folder / "equipoise" / path).open("a") as file:
            file.write(f"\n{line}\n")
    script = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(sys.argv[1], no_cache=True))"
    run = subprocess.run(
        [sys.executable, "-c", script, CONTRACTS], cwd=folder, env={"PYTHONPATH": str(folder)}, capture_output=True
    )
    assert run.returncode == 1
    return run.stdout.decode()


@pytest.mark.parametrize(("path", "line", "target"), VIOLATIONS)
def test_an_import_that_breaks_a_contract_is_reported(complaints, path, line, target):
    module = ".".join(["equipoise", *path.removesuffix("/__init__.py").removesuffix(".py").split("/")])
    link = rf"{re.escape(module)} (->|is not allowed to import) {re.escape(target)}\b"
    assert re.search(link, re.sub(r"\s+", " ", complaints)) is not None, complaints


def test_every_file_is_python_3_10():
    """What came later to ``typing`` is in ``typing_extensions``; exceptions take notes by ``notes.py``."""
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        imports = [one for one in ast.walk(ast.parse(text, feature_version=(3, 10))) if isinstance(one, ast.ImportFrom)]
        of_typing = {one.name for node in imports if node.module == "typing" for one in node.names}
        assert not of_typing & LATER_THAN_3_10, path
        assert ".add_note(" not in text or path.name == "notes.py", path


def test_files_of_tests_have_different_names():
    """They are imported by name, from whatever folder."""
    names = Counter(path.name for path in Path(__file__).parent.rglob("*.py"))
    assert [name for name, count in names.items() if count > 1 and name not in ("conftest.py", "__init__.py")] == []


NO_TORCH = [
    "--help",
    "--version",
    "compare --help",
    "comapre",
    "compare no.csv",
    "probe no.csv",
    "tune no.csv",
    "init no.csv",
    "report no",
    "compare no.py:make",
    "compare no.ods",
    "compare reviws",
    "probe reviws",
    "tune reviws",
    "compare --config no.yaml",
    "judge no.csv",
]


@pytest.mark.parametrize("words", NO_TORCH)
def test_what_needs_no_torch_does_not_wait_for_it(words):
    script = f"import sys; sys.modules['torch'] = None; from equipoise.cli import main; main({words.split()})"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "Traceback" not in ended.stderr
    assert ended.returncode == (0 if words.endswith(("help", "version")) else 2)


def test_init_needs_no_torch(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{i},{i % 7}\n" for i in range(20)))
    script = "import sys; sys.modules['torch'] = None; from equipoise.cli import main; main(['init', 'a.csv'])"
    assert subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True).returncode == 0


def test_public_names_are_there_whatever_is_imported_first():
    """Modules are named like the functions ``method`` and ``doctor``."""
    script = (
        "import equipoise.method, equipoise.doctor, equipoise.weighting, equipoise as eq\n"
        "assert callable(eq.method) and callable(eq.doctor) and eq.losses.__name__ == 'equipoise.losses'\n"
        "assert eq.UW is equipoise.weighting.UW and not hasattr(eq, 'Nothing') and {'UW', 'losses'} < {*dir(eq)}\n"
        "names = {}; exec('from equipoise import *', names); assert names.keys() - {'__builtins__'} == {*eq.__all__}"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


@pytest.mark.parametrize(
    "script",
    [
        "eq.UW = 'mine'; eq.MGDA; assert eq.UW == 'mine'",  # before the first public name is asked for
        "eq.MGDA; eq.UW = 'mine'; assert not hasattr(eq, 'Nothing') and eq.UW == 'mine'",
        "assert not hasattr(eq, 'nothing.FocalLoss')",
        "import copy, pickle; assert pickle.loads(pickle.dumps(eq)) is copy.copy(eq) is eq",  # as cloudpickle asks for
    ],
)
def test_the_package_is_patched_and_handed_to_workers_as_any_module(script):
    ended = subprocess.run([sys.executable, "-c", f"import equipoise as eq\n{script}"], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_a_process_group_made_before_a_public_name_is_asked_for_is_let_go(tmp_path):
    """What holds it keeps its threads, and one that lets a tensor go while Python ends aborts the process."""
    script = (
        "import gc, weakref, equipoise as eq, torch.distributed as dist\n"
        f"dist.init_process_group('gloo', init_method='{(tmp_path / 'store').as_uri()}', rank=0, world_size=1)\n"
        "group = weakref.ref(dist.group.WORLD); eq.Balancer\n"
        "dist.destroy_process_group(); gc.collect(); assert group() is None"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("module", ["registry", "lab.api.results"])
def test_a_module_that_public_names_need_can_be_imported_first(module):
    ended = subprocess.run([sys.executable, "-c", f"import equipoise.{module}"], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_what_the_workbench_needs_is_what_its_extra_installs():
    (extra,) = re.findall(r"^lab = \[(.+?)^\]", CONTRACTS.read_text(), re.MULTILINE | re.DOTALL)
    assert {one.replace("pyyaml", "yaml") for one in re.findall(r'"([\w-]+)', extra)} == {*PACKAGES}


OPTIONAL = (
    *("deepxde", "lightning", "openpyxl", "pandas", "PIL", "pina", "pyarrow", "pytorch_lightning", "rdkit", "sklearn"),
    *("sentence_transformers", "soundfile", "transformers"),
)
OWN_EXTRAS = {
    "equipoise.trainers.deepxde": "deepxde",
    "equipoise.trainers.pina": "pina",
    "equipoise.trainers.sentence_transformers": "sentence-transformers",
}
WITHOUT_EXTRAS = """
import sys
from importlib import import_module
sys.modules |= dict.fromkeys(sys.argv[1].split())
for name in sys.stdin.read().split():
    try:
        import_module(name)
    except ImportError as error:
        print(name, type(error).__name__, error)
"""


def test_without_extras_every_module_loads_or_says_in_a_line_which_to_install():
    modules = [path.with_suffix("").relative_to(SOURCE.parent).parts for path in sorted(SOURCE.rglob("*.py"))]
    names = [".".join(parts).removesuffix(".__init__") for parts in modules if parts[-1] != "__main__"]
    script = [sys.executable, "-c", WITHOUT_EXTRAS, " ".join((*PACKAGES, *OPTIONAL))]
    ended = subprocess.run(script, input="\n".join(names), capture_output=True, text=True, check=True)
    told = dict(line.split(" ", 1) for line in ended.stdout.splitlines())
    for name, error in told.items():
        extra = OWN_EXTRAS.get(name, "trainers" if name.startswith("equipoise.trainers") else "lab")
        line = rf'ModuleNotFoundError \w+ is missing.*: pip install "equipoise\[{extra}\]"'
        assert re.fullmatch(line, error), (name, error)
    needing = {"equipoise.lab.metrics", "equipoise.lab.api.tuning", "equipoise.trainers.hugging_face", *OWN_EXTRAS}
    assert needing < told.keys()
    without = {"equipoise.lab", "equipoise.lab.settings", "equipoise.lab.data.table", "equipoise.listings"}
    assert not told.keys() & without


def test_importing_equipoise_loads_no_workbench():
    script = "import sys, equipoise; equipoise.Balancer; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "equipoise.balancer" in loaded
    heavy = (
        "equipoise.lab",
        "equipoise.cli",
        "equipoise.listings",
        "equipoise.loss_listings",
        "equipoise.testing",
        "equipoise.trainers",
        "accelerate",
        "transformers",
        "scipy",
        "plotly",
        "rich",
    )
    assert [name for name in loaded if name.startswith(heavy)] == []
