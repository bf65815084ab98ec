"""Every code block of the README and the docs runs, where it stands."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>[\w ]+) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)


def blocks(language):
    found = []
    for path in DOCUMENTS:
        for match in BLOCK.finditer(path.read_text(encoding="utf-8")):
            if match["language"] == language:
                found.append(pytest.param(match["code"], match["mark"], id=f"{path.name}-{len(found)}"))
    return found


def write_file(match, folder):
    """A block that shows a file of the reader's, ``<!-- file name -->``."""
    file = folder / f"{match['mark'].removeprefix('file ')}.py"
    file.write_text(match["code"], encoding="utf-8")
    return file


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_python_blocks_run_one_after_another(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    namespace = {"__name__": "document"}
    for match in BLOCK.finditer(path.read_text(encoding="utf-8")):
        if match["language"] != "python":
            continue
        if (match["mark"] or "").startswith("file "):
            write_file(match, tmp_path)
            continue
        exec(compile(match["code"], path.name, "exec"), namespace)
        assert namespace["__name__"] == "document"


@pytest.mark.parametrize(("code", "mark"), blocks("bash"))
def test_commands_are_understood(code, mark):
    """Set-up blocks are run by ``.ci/run``; of every other command, its help must know all its options."""
    if mark in ("demo", "tests"):
        assert "for name in demo tests" in (ROOT / ".ci" / "run").read_text()
        return
    for line in code.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["equipoise"]:
            run = [sys.executable, "-m", "equipoise", words[1], "--help"]
            text = subprocess.run(run, capture_output=True, text=True, check=True).stdout
            for option in (word for word in words if word.startswith("--")):
                assert option in text, f"{line}: {option} is not in its help"
        elif words[:1] == ["python"] and words[1].startswith("benchmarks/"):
            run = [sys.executable, str(ROOT / words[1]), "--help"]
            text = subprocess.run(run, capture_output=True, text=True, check=True).stdout
            for option in (word for word in words if word.startswith("--")):
                assert option in text, f"{line}: {option} is not in its help"
        else:
            assert not words, f"no way to check the command {line!r}"


def test_paths_in_documents_exist():
    for path in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name} links to {target}, which is not there"


@pytest.mark.slow
def test_a_method_in_a_file_of_its_own_is_compared_as_shown(tmp_path):
    """docs/own-method.md: the file, its check and the command, to the letter."""
    shown = list(BLOCK.finditer((ROOT / "docs" / "own-method.md").read_text(encoding="utf-8")))
    (file,) = (write_file(match, tmp_path) for match in shown if (match["mark"] or "").startswith("file "))
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 20
    (check,) = (match["code"] for match in shown if match["language"] == "python" and not match["mark"])
    checked = subprocess.run([sys.executable, "-c", check], cwd=tmp_path, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    said = re.search(r"print\(.*\)  # (.*)", check)[1]
    assert checked.stdout == f"Invariances({said})\n"
    (command,) = (match["code"] for match in shown if match["language"] == "bash")
    program, *words = shlex.split(command)
    assert program == "equipoise"
    run = subprocess.run([sys.executable, "-m", program, *words], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    (results,) = tmp_path.rglob("runs.csv")
    methods = {line.split(",")[0] for line in results.read_text(encoding="utf-8").splitlines()[1:]}
    assert {"sum", f"{file.name}:AtMost"} <= methods
    assert "at_most.py:AtMost" in run.stdout
