"""The numbers that a page's plots must show: computed again, from the CSV files of a study alone."""

import csv
import json
from collections import defaultdict
from itertools import combinations
from math import isfinite
from statistics import fmean, median

CURVES = {  # figure -> its quantity in history.csv
    "losses": "loss",
    "weights": "weight",
    "gradient_norms": "gradient_norm",
    "cosines": "cosine",
    "magnitude_similarity": "magnitude_similarity",
    "condition_number": "log10_condition_number",
}


def require_numbers_of_the_files(page, folder):
    """Every plot of ``page`` but those of ranks and Δm shows exactly what the files of ``folder`` say."""
    drawn = defaultdict(list)
    for name, panel in page.figures["panels"].items():
        drawn[name.rsplit("-", 1)[0]].append(panel["data"])
    study = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    history = [row for row in _rows(folder, "history") if isfinite(float(row["value"]))]
    metrics = {task: listed[0]["name"] for task, listed in study["metrics"].items()}
    scores = _scores(_rows(folder, "runs"), metrics)
    expected = {figure: _curves(history, study, quantity) for figure, quantity in CURVES.items()}
    for figure, panels in expected.items():
        assert [_drawn(data, "y") for data in drawn[figure]] == panels, figure
    parts = list(dict.fromkeys(r["quantity"] for r in history if r["quantity"].startswith("cosine in ")))
    inside = [panel for part in parts for panel in _curves(history, study, part)]
    assert [_drawn(data, "y") for data in drawn["part_cosines"]] == inside
    assert [_drawn(data, "x", "y") for data in drawn["tradeoff"]] == _tradeoff(scores, study)
    differences = _differences(scores, study)
    assert [_drawn(data, "x") for data in drawn["differences"]][: len(differences)] == differences
    assert [_drawn(data, "x") for data in drawn["costs"]] == _costs(_rows(folder, "costs"), study)


def _rows(folder, name):
    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _curves(history, study, quantity):
    """For each task or pair with values: by method the values of the seeds, and their means at every epoch."""
    tasks = list(study["tasks"])
    keys = [*tasks, *("|".join(pair) for pair in combinations(tasks, 2)), "all"]
    panels = []
    for key in keys:
        curves = defaultdict(dict)
        for row in history:
            balances = row["method"] != "single-task" or quantity in ("loss", "gradient_norm")
            if balances and (row["task"], row["quantity"]) == (key, quantity):
                curves[row["method"], row["split"]].setdefault(row["seed"], {})[row["epoch"]] = float(row["value"])
        panel = set()
        for (method, _), seeds in curves.items():
            panel |= {(method, _short(value)) for curve in seeds.values() for value in curve.values()}
            for epoch in set.intersection(*map(set, seeds.values())):
                panel.add((method, _short(fmean(curve[epoch] for curve in seeds.values()))))
        if panel:
            panels.append(panel)
    return panels


def _scores(runs, metrics):
    """(method, task) -> seed -> primary metric on the test split."""
    found = defaultdict(dict)
    for row in runs:
        value = float(row["value"])
        if row["split"] == "test" and row["metric"] == metrics[row["task"]] and isfinite(value):
            found[row["method"], row["task"]][row["seed"]] = value
    return found


def _tradeoff(scores, study):
    panels = []
    for a, b in combinations(study["tasks"], 2):
        panel = set()
        for method in ("single-task", *study["methods"]):
            of_a, of_b = scores[method, a], scores[method, b]
            marks = [(of_a[seed], of_b[seed]) for seed in of_a if seed in of_b]
            means = [tuple(map(fmean, zip(*marks, strict=True)))] if marks else []
            panel |= {(method, _short(x), _short(y)) for x, y in marks + means}
        if panel:
            panels.append(panel)
    return panels


def _differences(scores, study):
    panels = []
    for task in study["tasks"]:
        panel = set()
        for method in study["methods"]:
            pairs = [(value, scores["sum", task].get(seed)) for seed, value in scores[method, task].items()]
            found = [mine - theirs for mine, theirs in pairs if theirs is not None]
            if found and method != "sum":
                panel.add((method, _short(fmean(found))))
        if panel:
            panels.append(panel)
    return panels


def _costs(costs, study):
    panels = []
    for quantity, together in (("seconds_per_step", sum), ("backwards_per_step", sum), ("peak_memory_mb", max)):
        panel = set()
        for method in ("single-task", *study["methods"]):
            seeds = defaultdict(list)
            for row in costs:
                if row["method"] == method:
                    seeds[row["seed"]].append(float(row[quantity]))
            values = [together(parts) for parts in seeds.values()]
            panel |= {(method, _short(value)) for value in [*values, median(values)]}
        panels.append(panel)
    return panels


def _drawn(data, *axes):
    """What the marks of a panel stand for: their methods and places."""
    return {
        (trace["meta"]["method"], *map(_short, place))
        for trace in data
        for place in zip(*(trace[axis] for axis in axes), strict=True)
        if None not in place
    }


def _short(value):
    """As exact as the page is."""
    return f"{value:.6g}"
