"""The numbers of a page's figures against the files of its study, worked out here from the files alone."""

import csv
import json
import math
from itertools import combinations
from statistics import fmean, median, stdev

import pytest
from scipy.stats import t

OF_TASKS = {"losses": "loss", "weights": "weight", "gradient_norms": "gradient_norm"}
OF_PAIRS = {"cosines": "cosine", "magnitude_similarity": "magnitude_similarity"}
IN_PARTS = "cosine in "
NOT_ALONE = ("weights", "cosines", "part_cosines", "magnitude_similarity", "condition_number")


def rows(folder, name):
    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def settings(folder):
    return json.loads((folder / "study.json").read_text(encoding="utf-8"))


def panels_of(page, figure):
    """The traces of each panel of a figure."""
    panels = page.figures["panels"]
    names = [name for name in panels if name.rsplit("-", 1)[0] == figure]
    assert names == [f"{figure}-{place}" for place in range(len(names))]
    return [panels[name]["data"] for name in names]


def shown(values):
    """As a page holds numbers: six digits."""
    return [None if value is None else float(f"{value:.6g}") for value in values]


def check_figures(folder, page):
    """Every figure but that of ranks."""
    check_curves(folder, page)
    check_chosen_epochs(folder, page)
    check_tradeoff(folder, page)
    check_differences(folder, page)
    check_costs(folder, page)


def check_curves(folder, page):
    """Every line over the epochs: the seeds one after another, and their mean; each panel has all and no others."""
    moments = [row for row in rows(folder, "history") if math.isfinite(float(row["value"]))]
    measured = {(row["task"], row["quantity"]): None for row in moments}
    tasks = list(settings(folder)["tasks"])
    pairs = [f"{a}|{b}" for a, b in combinations(tasks, 2)]
    parts = dict.fromkeys(quantity for _, quantity in measured if quantity.startswith(IN_PARTS))
    figures = {
        **{figure: [(task, quantity) for task in tasks] for figure, quantity in OF_TASKS.items()},
        **{figure: [(pair, quantity) for pair in pairs] for figure, quantity in OF_PAIRS.items()},
        "part_cosines": [(pair, part) for part in parts for pair in pairs],
        "condition_number": [("all", "log10_condition_number")],
    }
    for figure, keys in figures.items():
        keys = [key for key in keys if key in measured]
        drawn = panels_of(page, figure)
        assert len(drawn) == len(keys), figure
        for (task, quantity), traces in zip(keys, drawn, strict=True):
            mine = [row for row in moments if (row["task"], row["quantity"]) == (task, quantity)]
            lines = [
                (each["meta"]["method"], each["line"]["dash"], each["x"], each["y"])
                for each in traces
                if each["mode"].startswith("lines")
            ]
            assert sorted(lines, key=repr) == sorted(_lines(mine, figure), key=repr), (figure, task)


def _lines(moments, figure):
    curves = {}
    for row in moments:
        if row["method"] != "single-task" or figure not in NOT_ALONE:
            dash = "dot" if figure == "losses" and row["split"] == "train" else "solid"
            seeds = curves.setdefault((row["method"], dash), {})
            seeds.setdefault(int(row["seed"]), {})[int(row["epoch"])] = float(row["value"])
    for key, of_seed in curves.items():
        seeds = [of_seed[seed] for seed in sorted(of_seed)]
        if len(seeds) > 1:
            x, y = ([end for curve in seeds for end in (*take(curve), None)] for take in (list, dict.values))
            yield (*key, x, shown(y))
        common = [epoch for epoch in seeds[0] if all(epoch in curve for curve in seeds)]
        yield (*key, common, shown(fmean(curve[epoch] for curve in seeds) for epoch in common))


def check_chosen_epochs(folder, page):
    """A hollow mark on the validation loss of each run, at the epoch that costs.csv says it kept."""
    loss = {
        (row["method"], row["seed"], row["task"], row["epoch"]): float(row["value"])
        for row in rows(folder, "history")
        if (row["split"], row["quantity"]) == ("validation", "loss")
    }
    kept = {(row["method"], row["seed"], row["task"]): row["best_epoch"] for row in rows(folder, "costs")}
    for task, traces in zip(settings(folder)["tasks"], panels_of(page, "losses"), strict=True):
        marks = {}
        for (method, seed, of), epoch in kept.items():
            if of in ("all", task):
                x, y = marks.setdefault(method, ([], []))
                x.append(float(epoch))
                y.append(loss[method, seed, task, epoch])
        drawn = {each["meta"]["method"]: (each["x"], each["y"]) for each in traces if each["mode"] == "markers"}
        assert drawn == {method: (x, shown(y)) for method, (x, y) in marks.items()}


def scores(folder):
    """Method -> task -> seed -> the primary metric on the test split."""
    study = settings(folder)
    primary = {task: metrics[0]["name"] for task, metrics in study["metrics"].items()}
    values = {}
    for row in rows(folder, "runs"):
        if row["split"] == "test" and row["metric"] == primary[row["task"]]:
            seeds = values.setdefault(row["method"], {}).setdefault(row["task"], {})
            seeds[int(row["seed"])] = float(row["value"])
    return values


def check_tradeoff(folder, page):
    """Every seed is a point, and so is every mean."""
    values = scores(folder)
    pairs = list(combinations(settings(folder)["tasks"], 2))
    for (a, b), traces in zip(pairs, panels_of(page, "tradeoff"), strict=True):
        expected = []
        for method, of_task in values.items():
            x, y = list(of_task[a].values()), list(of_task[b].values())
            if len(x) > 1:
                expected.append((method, shown(x), shown(y)))
            expected.append((method, shown([fmean(x)]), shown([fmean(y)])))
        drawn = [(each["meta"]["method"], each["x"], each["y"]) for each in traces]
        assert sorted(drawn) == sorted(expected), (a, b)


def check_differences(folder, page):
    """The mean of each method's paired differences to the plain sum, and its interval by Student's t."""
    values = scores(folder)
    tasks = list(settings(folder)["tasks"])
    for task, traces in zip(tasks, panels_of(page, "differences")[: len(tasks)], strict=True):
        assert [each["meta"]["method"] for each in traces] == [m for m in values if m not in ("sum", "single-task")]
        for each in traces:
            mine, sums = (values[method][task] for method in (each["meta"]["method"], "sum"))
            differences = [mine[seed] - sums[seed] for seed in mine]
            n = len(differences)
            reach = t.ppf(0.975, n - 1) * stdev(differences) / n**0.5 if n > 1 else 0.0
            assert each["x"] == [pytest.approx(fmean(differences), rel=1e-5, abs=1e-12)]
            assert each["error_x"]["array"] == [pytest.approx(reach, rel=1e-4, abs=1e-12)]
            assert each["error_x"]["arrayminus"] == [pytest.approx(reach, rel=1e-4, abs=1e-12)]


def check_costs(folder, page):
    """Medians over the seeds, of single-task networks all together, with a mark for each seed."""
    together = {"seconds_per_step": sum, "backwards_per_step": sum, "peak_memory_mb": max}
    for (column, of_all), traces in zip(together.items(), panels_of(page, "costs"), strict=True):
        spent = {}
        for row in rows(folder, "costs"):
            spent.setdefault(row["method"], {}).setdefault(row["seed"], []).append(float(row[column]))
        bars = {each["meta"]["method"]: each["x"] for each in traces if each["type"] == "bar"}
        marks = {each["meta"]["method"]: each["x"] for each in traces if each["type"] == "scatter"}
        by_method = {method: [of_all(parts) for parts in seeds.values()] for method, seeds in spent.items()}
        assert bars == {method: shown([median(of_seed)]) for method, of_seed in by_method.items()}
        assert marks == {method: shown(of_seed) for method, of_seed in by_method.items() if len(of_seed) > 1}
