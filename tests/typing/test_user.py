"""What users write passes their type checkers, and runs: a script, what is wrong, README and pages of the docs."""

import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CORE = ("doctor", "engine", "faq", "losses", "methods", "own-method", "regularisation", "training")
LAB = ("lab", "reports", "statistics", "textbook", "tour", "training-options")
PAGES = ("README.md", *(f"docs/{name}.md" for name in (*CORE, *LAB)))
BLOCK = re.compile(r"^(?:<!-- file (\w+) -->\n)?```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def scripts(tmp_path):
    """A folder with the two files of this one, and with the Python of each page as a script."""
    for name in ("user.py", "misuse.py"):
        shutil.copy(HERE / name, tmp_path)
    for page in PAGES:
        codes: dict[str, list[str]] = {}
        for name, code in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
            codes.setdefault(name or f"{Path(page).stem.lower().replace('-', '_')}_page", []).append(code)
        for name, parts in codes.items():
            (tmp_path / f"{name}.py").write_text("\n\n".join(parts), encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_scripts_pass_mypy_strict(scripts, monkeypatch):
    """By this project's settings: strict, but for calls of torch, whose ``Tensor.backward`` has no types."""
    api = pytest.importorskip("mypy.api", reason="mypy is not installed")
    monkeypatch.chdir(ROOT)
    printed, broken, status = api.run([str(scripts)])
    assert status == 0, printed + broken


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pyright") is None, reason="pyright is not installed")
def test_scripts_pass_pyright(scripts):
    options = {"extraPaths": [str(ROOT / "src")], "reportUnnecessaryTypeIgnoreComment": True}
    (scripts / "pyrightconfig.json").write_text(json.dumps(options), encoding="utf-8")
    command = ["pyright", "--pythonpath", sys.executable, "--warnings", "-p", str(scripts)]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*scale of a loss|.*small gradients:UserWarning")
def test_the_script_runs(capsys):
    runpy.run_path(str(HERE / "user.py"), run_name="__main__")
    assert "| mgda |" in capsys.readouterr().out
