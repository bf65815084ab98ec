import io

import pytest
from rich.console import Console

from equipoise.lab.evaluation import Summary, TaskMetric
from equipoise.lab.evaluation.table import make_rows
from equipoise.lab.studies import print_summary

METRICS = [TaskMetric("rating", "rmse", False, 0.0, 1.0), TaskMetric("recommended", "accuracy", True, 1.0, 0.5)]
VALUES = {
    "single-task": {"rating": {0: 0.8, 1: 0.82, 2: 0.81}, "recommended": {0: 0.7, 1: 0.71, 2: 0.72}},
    "sum": {"rating": {0: 0.7, 1: 0.72, 2: 0.71}, "recommended": {0: 0.7, 1: 0.71, 2: 0.72}},
    "nash-mtl": {"rating": {0: 0.6, 1: 0.621, 2: 0.612}, "recommended": {0: 0.1, 1: 0.1, 2: 0.12}},
    "my/methods/in/a/long/path/method.py:Mine": {"rating": {0: 0.71}, "recommended": {0: 0.70}},
}
SECONDS = {"single-task": {0: 0.008}, "sum": {0: 0.004}, "nash-mtl": {0: 0.01}}


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_table_fits_and_says_everything(width):
    rows = make_rows(VALUES, METRICS, SECONDS)
    summary = Summary(
        "reviews", "Reviews [b]", (0, 1, 2), tuple(METRICS), rows, ("a note",), True, "The headline.", "The advice."
    )
    console = Console(file=io.StringIO(), width=width)
    print_summary(console, summary)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for expected in (
        "Reviews [b]",
        "rating: rmse, lower is better",
        "recommended: accuracy, higher is better",
        "sum 0.7100 ± 0.0100",
        "nash-mtl 0.6110 ± 0.0105 -0.0990 [-0.1015, -0.0965] better",
        "nash-mtl 0.1067 ± 0.0115 -0.6033 [-0.6177, -0.5890] worse",
        "single-task 8.00 x2.00",
        "Note: a note",
        "The headline.",
        "The advice.",
    ):
        assert expected in lines
    assert "…" not in text
    assert "Δm = (1/M) Σ (-1)^l (method - baseline) / baseline · 100" in " ".join(lines)
    assert "for all 2 comparisons together (Holm)" in " ".join(lines)
