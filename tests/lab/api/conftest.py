import json
import random

import pytest

METRICS = {"size": ("rmse", False), "kind": ("accuracy", True)}
SHIFT = {"single-task": 0.01, "sum": 0.0, "uw": -0.04, "mgda": 0.05, "dwa": 0.002}


def made_values(methods=tuple(SHIFT), seeds=5):
    """(method, seed, task, metric, value): methods differ by ``SHIFT``, seeds by more than they do."""
    draw = random.Random(3)
    chance = {(seed, task): draw.gauss(0, 0.05) for seed in range(seeds) for task in METRICS}
    return [
        (method, seed, task, metric, 0.6 + chance[seed, task] + SHIFT[method] + draw.gauss(0, 0.004))
        for method in methods
        for seed in range(seeds)
        for task, (metric, _) in METRICS.items()
    ]


@pytest.fixture
def rows():
    return [dict(zip(("method", "seed", "task", "metric", "value"), row, strict=True)) for row in made_values()]


@pytest.fixture
def make_folder(tmp_path):
    """The folder of a study with these values, other metrics and another split beside them."""

    def make(values):
        path = tmp_path / "study"
        path.mkdir()
        methods = [name for name in dict.fromkeys(row[0] for row in values) if name != "single-task"]
        study = {
            **{
                "case": "boxes",
                "title": "Boxes",
                "methods": methods,
                "complete": True,
                "equipoise": "0",
                "test_reads": 1,
            },
            **{
                "seeds": sorted({row[1] for row in values}),
                "data_hash": "0",
                "settings": {"epochs": 1},
                "versions": {},
            },
            "tasks": {task: {"loss": "MSELoss()", "weight": 1.0} for task in METRICS},
            "metrics": {
                task: [{"name": name, "higher_is_better": higher, "perfect": float(higher), "trivial": 0.5}]
                for task, (name, higher) in METRICS.items()
            },
            **{"split_sizes": {"train": 10}, "failed": {"uw, seed 9": "ValueError: no"}},
        }
        (path / "study.json").write_text(json.dumps(study))
        lines = ["method,seed,split,task,metric,value"]
        for method, seed, task, metric, value in sorted(values, key=lambda row: (row[2], row[3])):
            lines += [
                f"{method},{seed},test,{task},brier,0.25",
                f"{method},{seed},test,{task},{metric},{value!r}",
                f"{method},{seed},validation,{task},{metric},9.0",
            ]
        (path / "runs.csv").write_text("\n".join(lines) + "\n")
        costs = "method,seed,task,epochs,best_epoch,steps,seconds_per_step,backwards_per_step,peak_memory_mb"
        (path / "costs.csv").write_text(f"{costs},skipped_steps,unsolved_steps\n")
        (path / "history.csv").write_text("method,seed,epoch,split,task,quantity,value\n")
        return path

    return make
