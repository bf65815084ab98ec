import io

import pytest
from rich.console import Console

from equipoise.lab.evaluation import EqualTime, MethodCost, Reached, Summary, TaskMetric, make_table
from equipoise.lab.evaluation.advice import Advice
from equipoise.lab.reports import print_summary

METRICS = [TaskMetric("rating", "rmse", False, 0.0, 1.0), TaskMetric("recommended", "accuracy", True, 1.0, 0.5)]
VALUES = {
    "single-task": {"rating": {0: 0.8, 1: 0.82, 2: 0.81}, "recommended": {0: 0.7, 1: 0.71, 2: 0.72}},
    "sum": {"rating": {0: 0.7, 1: 0.72, 2: 0.71}, "recommended": {0: 0.7, 1: 0.71, 2: 0.72}},
    "nash-mtl": {"rating": {0: 0.6, 1: 0.621, 2: 0.612}, "recommended": {0: 0.1, 1: 0.1, 2: 0.12}},
    "my/methods/in/a/long/path/method.py:Mine": {"rating": {0: 0.71}, "recommended": {0: 0.70}},
}
COSTS = {
    "single-task": MethodCost({0: 0.008}, 2.0, 400.0, 8.0, 2000.0, 0, 0),
    "sum": MethodCost({0: 0.004}, 1.0, 410.0, 4.0, 1000.0, 0, 0),
    "nash-mtl": MethodCost({0: 0.01}, 2.0, 420.4, 10.0, 2000.0, 3, 1),
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
        advice=Advice("use", "sum"),
    )
    console = Console(file=io.StringIO(), width=width)
    print_summary(console, summary, verbose=True)
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
        "Use the plain sum: nothing here is significantly better.",
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
    costs = {method: MethodCost({0: 0.004}, 2.0, 400.0, 8.0, 4000.0, 0, 0) for method in values}
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
        advice=Advice("use", "sum"),
    )
    console = Console(file=io.StringIO(), width=80)
    print_summary(console, summary, verbose=True)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    first = [line.split()[0] for line in lines if line.strip()]
    for part in parts:
        assert first.count(part) == 4  # in the table of each task, of all tasks, and of the costs


def printed(summary, width=80, **options):
    console = Console(file=io.StringIO(), width=width)
    print_summary(console, summary, **options)
    return console.file.getvalue().splitlines()


def study_of(tasks, methods, seeds=5):
    metrics = [TaskMetric(f"task{k}", "accuracy", True, 1.0, 0.5) for k in range(tasks)]
    names = ["single-task", "sum", *(f"method-{k}" for k in range(methods))]
    found = {
        (name, metric.task, seed): 0.7 + 0.01 * ((place * seed + 3 * k + seed) % 7)
        for place, name in enumerate(names)
        for k, metric in enumerate(metrics)
        for seed in range(seeds)
    }
    return Summary.from_values(found, metrics, names, list(range(seeds)), title="A study", notes=["a note " * 20] * 5)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(("tasks", "methods"), [(3, 5), (12, 20)])  # as the demo, and far more
def test_the_verdict_comes_first_and_then_at_most_40_lines(tasks, methods, width):
    summary = study_of(tasks, methods)
    lines = printed(summary, width)
    assert max(map(len, lines)) <= width
    first = " ".join(" ".join(lines).split())
    assert first.startswith(f"A study {summary.headline} {summary.advice} ")
    start = next(place for place, line in enumerate(lines) if line.split()[:1] == ["task0"])
    assert len(lines) - start <= 40
    whole = printed(summary, width, verbose=True)
    assert "a note" in whole[-1]
    rest = len(lines[-1].split()) and lines[-1].endswith("more lines with --verbose, and in the report.")
    assert rest or lines[-1] == whole[-1]


def test_a_cell_has_mean_difference_half_its_interval_and_a_significant_verdict():
    found = {("sum", "size", seed): 0.4 + 0.01 * seed for seed in range(3)}
    found |= {("uw", "size", seed): 0.5 + 0.011 * seed for seed in range(3)}
    metric = TaskMetric("size", "accuracy", True, 1.0, 0.0)
    lines = printed(Summary.from_values(found, [metric], ["sum", "uw"], [0, 1, 2], title="A study"))
    cells = [" ".join(line.split()) for line in lines]
    # differences 0.1, 0.101, 0.102: mean 0.101, half their interval 4.303 * 0.001 / sqrt(3)
    assert "uw 0.5110 +0.1010 ±0.0025 better" in cells
    assert "sum 0.4100" in cells
