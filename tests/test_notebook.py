"""The notebook runs as it stands, cell after cell, and ends in verdicts on all three kinds of results."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from equipoise import lab

EXAMPLES = Path(__file__).parent.parent / "examples"
CELLS = json.loads((EXAMPLES / "lab.ipynb").read_text(encoding="utf-8"))["cells"]


def source(cell):
    return "".join(cell["source"])


def test_it_has_ten_cells_and_no_outputs():
    assert len(CELLS) == 10
    assert not any(cell.get("outputs") for cell in CELLS)


@pytest.mark.slow
def test_every_cell_runs_and_each_kind_of_results_is_judged(tmp_path):
    shutil.copytree(EXAMPLES / "published", tmp_path / "published")
    code = "\n".join(source(cell) for cell in CELLS if cell["cell_type"] == "code")
    asked = "\nprint([one.verdict.headline for one in (results, of_case, published)])"
    run = subprocess.run(
        [sys.executable, "-c", code + asked], cwd=tmp_path, capture_output=True, text=True, timeout=900
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1].count("Over ") == 3
    assert {path.name for path in tmp_path.glob("*.html")} == {"loop.html", "published.html"}


def test_the_published_results_are_judged_by_name():
    results = lab.judge(EXAMPLES / "published" / "routing_ablation.csv", reference="Dense-uniform (no route)")
    decisions = {(one.method, one.task): one.decision for one in results.verdict.decisions}
    assert len(decisions) == 10
    assert results.verdict.headline.startswith("Over 5 seeds, ")
    found = {pair: word for pair, word in decisions.items() if word != "no significant difference"}
    assert found == {("Dense-wide (no route)", "solubility_aqsoldb"): "better"}
