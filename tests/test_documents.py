"""Every code block of the README and the docs runs, where it stands."""

import csv
import hashlib
import io
import json
import re
import runpy
import shlex
import subprocess
import sys
from contextlib import contextmanager, redirect_stdout
from functools import cache
from pathlib import Path

import pytest

from equipoise.cli import main

ROOT = Path(__file__).parent.parent
OF_EXTRAS = {
    *("torchjd", "kornia", "transformers", "lightning", "ignite"),
    *(
        "pina",
        "deepxde",
        "sentence_transformers",
        "datasets",
        "monai",
        "torch_rechub",
        "trl",
        "chemprop",
        "ultralytics",
        "cv2",
    ),
}
WRITTEN = ("_build", "losses", "methods")  # by the build of the site
PAGES = [path for path in sorted((ROOT / "docs").rglob("*.md")) if path.relative_to(ROOT).parts[1] not in WRITTEN]
DOCUMENTS = [ROOT / "README.md", *PAGES]
RUN = [path for path in DOCUMENTS if path.parent.name != "zh"]  # whose code is the English pages'
BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>[\w ]+) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)


def blocks(language):
    found = []
    for path in RUN:
        for match in BLOCK.finditer(path.read_text(encoding="utf-8")):
            if match["language"] == language:
                found.append(pytest.param(match["code"], match["mark"], id=f"{path.name}-{len(found)}"))
    return found


@contextmanager
def skipped_without_extras():
    """What needs a package of an extra for trainers, or of ``parity``, is skipped where it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in OF_EXTRAS:
            raise
        pytest.skip(f"{error.name} is not installed")


def write_file(match, folder):
    """A block that shows a file of the reader's, ``<!-- file name -->``."""
    file = folder / f"{match['mark'].removeprefix('file ')}.py"
    file.write_text(match["code"], encoding="utf-8")
    return file


@pytest.fixture
def own_precision():
    """Accelerate's, which some trainers set for the whole process, and which may not be set twice."""
    yield
    if "accelerate.state" in sys.modules:
        sys.modules["accelerate.state"].AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.usefixtures("own_precision")
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.name, marks=[pytest.mark.slow] if path.parent.name == "integrations" else [])
        for path in RUN
    ],
)
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
        with skipped_without_extras():
            exec(compile(match["code"], path.name, "exec"), namespace)
        assert namespace["__name__"] == "document"


@cache
def help_of(program, *words):
    """What ``--help`` prints: in this process, since another would import torch anew for every page."""
    printed = io.StringIO()
    with redirect_stdout(printed), pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
        if program == "equipoise":
            main([*words, "--help"])
        patch.setattr(sys, "argv", [program, *words, "--help"])
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        with skipped_without_extras():
            runpy.run_path(str(ROOT / program), run_name="__main__")
    assert end.value.code == 0
    return printed.getvalue()


@pytest.mark.parametrize(("code", "mark"), blocks("bash"))
def test_commands_are_understood(code, mark):
    """Set-up blocks are run by ``.ci/run``; of every other command, its help must know all its options."""
    if mark in ("demo", "tests"):
        assert "for name in demo tests" in (ROOT / ".ci" / "run").read_text()
        return
    for line in code.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["equipoise"]:
            text = help_of("equipoise", words[1])
        elif words[:1] == ["python"] and words[1].startswith("benchmarks/"):
            text = help_of(words[1])
        else:
            assert not words, f"no way to check the command {line!r}"
            continue
        for option in (word for word in words if word.startswith("--")):
            assert option in text, f"{line}: {option} is not in its help"


def test_paths_in_documents_exist():
    for path in DOCUMENTS:
        text = BLOCK.sub("", path.read_text(encoding="utf-8"))
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
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


@pytest.mark.slow
@pytest.mark.parametrize("page", ["segmentation", "labels"])
def test_a_tutorial_trains_its_case_and_draws_its_pictures(page, tmp_path):
    """The file and the script to the letter; the third one, captions, trains for minutes, and its case has tests."""
    shown = list(BLOCK.finditer((ROOT / "docs" / f"tutorial-{page}.md").read_text(encoding="utf-8")))
    (_,) = (write_file(match, tmp_path) for match in shown if (match["mark"] or "").startswith("file "))
    (script,) = (match["code"] for match in shown if match["language"] == "python" and not match["mark"])
    (tmp_path / "study.py").write_text(script, encoding="utf-8")
    run = subprocess.run([sys.executable, "study.py"], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    for picture in re.findall(r'savefig\("(.*?)"', script):
        assert (tmp_path / picture).stat().st_size > 10_000
    (scores,) = tmp_path.rglob("runs.csv")
    with scores.open(newline="", encoding="utf-8") as rows:
        found = {(row["task"], row["metric"]): float(row["value"]) for row in csv.DictReader(rows)}
    least = {("stress", "accuracy"): 0.9, ("mask", "miou"): 0.55, ("labels", "f1-macro"): 0.7}
    assert {name: found[name] for name in least if name in found and found[name] < least[name]} == {}
    assert any(name in found for name in least)


@pytest.mark.slow
def test_a_strangers_table_is_compared_as_shown(tmp_path):
    """docs/your-data.md: the table, then its commands to the letter, with fewer epochs and seeds."""
    shown = list(BLOCK.finditer((ROOT / "docs" / "your-data.md").read_text(encoding="utf-8")))
    python = [match["code"] for match in shown if match["language"] == "python" and not match["mark"]]
    make = "".join(code for code in python if ".csv" in code)
    subprocess.run([sys.executable, "-c", make], cwd=tmp_path, check=True)
    with (tmp_path / "patients.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for label in ("progression", "severe", "weight"):
        assert 0.15 < sum(not row[label] for row in rows) / len(rows) < 0.25
    for match in shown:
        if (match["mark"] or "").startswith("file "):
            write_file(match, tmp_path)
    commands = [line for match in shown if match["language"] == "bash" for line in match["code"].splitlines()]
    assert len(commands) == 5
    for place, command in enumerate(commands):
        program, *words = shlex.split(command)
        assert program == "equipoise"
        fewer = [] if words[0] == "init" else ["--epochs=5", "--seeds=1", "--methods=sum", f"--out=study{place}"]
        for option in ("--seeds", "--methods"):  # an option may be given once
            if fewer and option in words:
                at = words.index(option)
                del words[at : at + 2]
        run = subprocess.run(
            [sys.executable, "-m", program, *words, *fewer], cwd=tmp_path, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
    for folder in ("study0", "study2", "study3", "study4"):
        for name in ("study.json", "runs.csv", "history.csv", "costs.csv", "report.html"):
            assert (tmp_path / folder / name).stat().st_size > 100
    description = json.loads((tmp_path / "study0" / "study.json").read_text(encoding="utf-8"))
    assert description["complete"]
    assert description["data_hash"] == hashlib.sha256((tmp_path / "patients.csv").read_bytes()).hexdigest()
    assert description["options"]["number"] == ["age", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
    # the file that init wrote asks for the same study, so it has the same numbers
    assert (tmp_path / "study2" / "runs.csv").read_bytes() == (tmp_path / "study0" / "runs.csv").read_bytes()
    with (tmp_path / "study0" / "runs.csv").open(newline="", encoding="utf-8") as file:
        scores = [row for row in csv.DictReader(file) if row["split"] == "validation" and row["method"] == "sum"]
    trivial = {(task, m["name"]): m for task, metrics in description["metrics"].items() for m in metrics}
    for task, metric in (("progression", "rmse"), ("severe", "auroc"), ("weight", "accuracy")):
        values = [float(row["value"]) for row in scores if (row["task"], row["metric"]) == (task, metric)]
        constant = trivial[task, metric]
        skill = [(value - constant["trivial"]) / (constant["perfect"] - constant["trivial"]) for value in values]
        assert len(skill) == 1
        assert 0.05 < min(skill) <= max(skill) < 0.9, f"{task}: {values} against a constant's {constant['trivial']}"
