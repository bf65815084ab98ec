import io

import pytest
from rich.console import Console

from equipoise.lab.evaluation import EqualTime, MethodCost, Reached, Summary, TaskMetric, make_table
from equipoise.lab.studies import print_summary

METRICS = [TaskMetric("rating", "rmse", False, 0.0, 1.0), TaskMetric("recommended", "accuracy", True, 1.0, 0.5)]
VALUES = {
    "single-task": {"rating": {0: 0.8, 1: 0.82, 2: 0.81}, "recommended": {0: 0.7, 1: 0.71, 2: 0.72}},
    "sum": {"rating": {0: 0.7, 1: 0.72, 2: 0.71}, "recommended": {0: 0.7, 1: 0.71, 2: 0.72}},
    "nash-mtl": {"rating": {0: 0.6, 1: 0.621, 2: 0.612}, "recommended": {0: 0.1, 1: 0.1, 2: 0.12}},
    "my/methods/in/a/long/path/method.py:Mine": {"rating": {0: 0.71}, "recommended": {0: 0.70}},
}
COSTS = {
    "single-task": MethodCost(0.008, 2.0, 400.0, 8.0, 2000.0, 0, 0),
    "sum": MethodCost(0.004, 1.0, 410.0, 4.0, 1000.0, 0, 0),
    "nash-mtl": MethodCost(0.01, 2.0, 420.4, 10.0, 2000.0, 3, 1),
}


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_table_fits_and_says_everything(width):
    table = make_table(VALUES, METRICS, COSTS)
    reached = Reached("nash-mtl", 2.0, {"rating": 0.65, "recommended": 0.6}, {"rating": None, "recommended": None})
    summary = Summary(
        case="reviews",
        title="Reviews [b]",
        seeds=(0, 1, 2),
        metrics=tuple(METRICS),
        rows=table.rows,
        ranks=table.ranks,
        tested=table.tested,
        unequal=("backward passes of a run (sum 1,000, nash-mtl 2,000)",),
        equal_time=EqualTime(4.0, "sum", (reached,)),
        notes=("a note",),
        complete=True,
        headline="The headline.",
        advice="The advice.",
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
        "single-task 8.00 x2.00 2 400 0 0",
        "nash-mtl 10.00 x2.50 2 420 3 1",
        "nash-mtl 2.0 0.6500 0.6000",
        "costs (unequal: backward passes of a run (sum 1,000, nash-mtl 2,000))",
        "Note: a note",
        "The headline.",
        "The advice.",
    ):
        assert expected in lines
    assert "…" not in text
    assert "Δm = (1/M) Σ (-1)^l (method - baseline) / baseline · 100" in " ".join(lines)
    assert "for all 5 comparisons of the study together (Holm), if differences are roughly symmetric" in " ".join(lines)


@pytest.mark.parametrize(
    "parts", [("mask=dice+", "stress=focal"), ("severity=corn+", "mask=focal", ":gamma=1.5+", "stress=focal")]
)
def test_rows_of_losses_wrap_where_another_loss_or_argument_begins(parts):
    name = "".join(parts)
    metrics = (METRICS[0], TaskMetric("condition", "accuracy", True, 1.0, 0.5))
    values = {
        method: {"rating": {0: 0.7 + n / 100, 1: 0.72 + n / 50, 2: 0.71}, "condition": {0: 0.7, 1: 0.2 + n / 9, 2: 0.7}}
        for n, method in enumerate(["single-task", "sum", "mask=dice", name])
    }
    costs = {method: MethodCost(0.004, 2.0, 400.0, 8.0, 4000.0, 0, 0) for method in values}
    table = make_table(values, metrics, costs)
    summary = Summary(
        case="leaf",
        title="Leaves",
        seeds=(0, 1, 2),
        metrics=metrics,
        rows=table.rows,
        ranks=None,
        tested=table.tested,
        unequal=(),
        equal_time=None,
        notes=(),
        complete=True,
        headline="",
        advice="",
    )
    console = Console(file=io.StringIO(), width=80)
    print_summary(console, summary)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    first = [line.split()[0] for line in lines if line.strip()]
    for part in parts:
        assert first.count(part) == 4  # in the table of each task, of all tasks, and of the costs
