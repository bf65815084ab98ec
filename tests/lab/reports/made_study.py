"""Writes study folders of the shape and size that real studies have, with made-up numbers."""

import csv
import json
import math
import random
from dataclasses import dataclass
from pathlib import Path

METHODS = ("sum", "uw", "dwa", "pcgrad", "mgda", "nash-mtl")
TASKS = {"rating": ("mae", False), "recommend": ("auroc", True), "department": ("accuracy", True)}
EPOCHS = 8


@dataclass(frozen=True)
class Folder:
    """A made-up study folder and the rows written into it, as text."""

    path: Path
    runs: list[list[str]]
    history: list[list[str]]
    costs: list[list[str]]


def make_study(
    path: Path,
    *,
    methods=METHODS,
    tasks=TASKS,
    seeds=(0, 1, 2),
    epochs=EPOCHS,
    single_task=True,
    cosines=True,
    norms=True,
    complete=True,
) -> Folder:
    """Numbers of the shape and size that real studies give: noise over seeds, over-fitting after some epochs."""
    draw = random.Random(7)
    runs, history, costs = [], [], []
    effect = {name: draw.gauss(0, 0.006) for name in methods}
    luck = {(seed, task): draw.gauss(0, 0.004) for seed in seeds for task in tasks}
    jobs = [("single-task", [task]) for task in tasks] if single_task else []
    jobs += [(name, list(tasks)) for name in methods]
    for method, trained in jobs:
        for seed in seeds:
            best = draw.randint(max(1, epochs // 2), epochs)
            for place, task in enumerate(trained):
                metric, higher = tasks[task]
                start = 1.2 - 0.25 * place
                for epoch in range(1, epochs + 1):
                    fall = math.exp(-epoch / 3)
                    train = start * (0.25 + 0.75 * fall) + draw.gauss(0, 0.004)
                    rise = 0.01 * max(0, epoch - best) ** 1.5
                    validation = start * (0.42 + 0.58 * fall) + rise + effect.get(method, 0.01) + draw.gauss(0, 0.004)
                    history.append([method, seed, epoch, "train", task, "loss", train])
                    history.append([method, seed, epoch, "validation", task, "loss", validation])
                    history.append([method, seed, epoch, "validation", task, metric, 0.8 - 0.2 * fall])
                    if method not in ("single-task",):
                        weight = 1.0 if method == "sum" else math.exp(draw.gauss(0.4 * place - 0.3, 0.05) * epoch / 4)
                        history.append([method, seed, epoch, "train", task, "weight", weight])
                    if norms:
                        norm = 10.0 ** (-place / 2) * (0.3 + fall) * (1 + draw.gauss(0, 0.05))
                        history.append([method, seed, epoch, "train", task, "gradient_norm", norm])
                for split in ("test", "validation"):
                    shift = effect.get(method, 0.008) + luck[seed, task] + draw.gauss(0, 0.002)
                    value = (0.80 + 0.03 * place if higher else 0.62) + (-shift if higher else shift)
                    runs.append([method, seed, split, task, metric, value])
                    runs.append([method, seed, split, task, "loss", start * 0.45 + shift])
            if cosines and len(trained) > 1 and method in ("pcgrad", "mgda", "nash-mtl"):
                for i, a in enumerate(trained):
                    for b in trained[i + 1 :]:
                        for epoch in range(1, epochs + 1):
                            cosine = 0.3 * math.exp(-epoch / 4) - 0.05 * i + draw.gauss(0, 0.02)
                            history.append([method, seed, epoch, "train", f"{a}|{b}", "cosine", cosine])
                            for part in ("encoder.low", "encoder.high"):
                                inside = cosine + draw.gauss(0, 0.05)
                                history.append([method, seed, epoch, "train", f"{a}|{b}", f"cosine in {part}", inside])
                            similar = 0.5 + 0.1 * i + draw.gauss(0, 0.02)
                            history.append([method, seed, epoch, "train", f"{a}|{b}", "magnitude_similarity", similar])
                for epoch in range(1, epochs + 1):
                    number = 0.8 + draw.gauss(0, 0.05)
                    history.append([method, seed, epoch, "train", "all", "log10_condition_number", number])
            for epoch in range(1, epochs + 1):
                history.append([method, seed, epoch, "validation", "all", "skill", 0.6])
            backwards = 1.0 if method in ("single-task", "sum", "uw", "dwa") else float(len(trained))
            seconds = (0.0021 + 0.0012 * backwards) * (1 + abs(draw.gauss(0, 0.04)))
            task = "all" if method != "single-task" else trained[0]
            memory = 410.0 + 8 * backwards + draw.random()
            costs.append([method, seed, task, epochs, best, epochs * 65, seconds, backwards, memory, 3.0, 0, 0])
    folder = Folder(
        path,
        _write(path / "runs.csv", "method,seed,split,task,metric,value", runs),
        _write(path / "history.csv", "method,seed,epoch,split,task,quantity,value", history),
        _write(
            path / "costs.csv",
            "method,seed,task,epochs,best_epoch,steps,seconds_per_step,backwards_per_step,peak_memory_mb,seconds,"
            "skipped_steps,unsolved_steps",
            costs,
        ),
    )
    study = {
        "equipoise": "0.1.0",
        "case": "reviews",
        "title": "Three questions about a clothing review",
        "data_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "methods": list(methods),
        "seeds": list(seeds),
        "settings": {
            "epochs": epochs,
            "batch_size": 64,
            "learning_rate": 0.002,
            "weight_decay": 0.0001,
            "clip_norm": None,
            "patience": 3,
        },
        "tasks": {name: {"loss": "CrossEntropyLoss()", "weight": 1.0} for name in tasks},
        "metrics": {
            name: [{"name": metric, "higher_is_better": higher, "perfect": float(higher), "trivial": 0.5}]
            for name, (metric, higher) in tasks.items()
        },
        "versions": {"python": "3.11.4", "torch": "2.13.0", "numpy": "2.1.0"},
        "test_reads": 1,
        "split_sizes": {"train": 4200, "validation": 900, "test": 900},
        "failed": {},
        "complete": complete,
    }
    (path / "study.json").write_text(json.dumps(study), encoding="utf-8")
    return folder


def _write(path: Path, header: str, rows: list[list]) -> list[list[str]]:
    text = [[repr(cell) if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header.split(","), *text])
    return text
