"""What heads that begin at the labels change: losses over the first epoch, and the skill after it.

python benchmarks/label_start.py --cases reviews,tox21 --seeds 3
"""

import argparse
import tempfile
from pathlib import Path
from statistics import fmean
from typing import get_args

import torch

import equipoise as eq
from equipoise.lab.cases import CASES
from equipoise.lab.settings import StartName
from equipoise.lab.training import train
from equipoise.lab.training.loop import case_settings

MOST_TASKS = 4  # in rows of their own


def first_epoch(case, start, seed):
    """Losses in training by task, and the mean skill on validation."""
    settings = case_settings(case, epochs=1, start=start)
    with tempfile.TemporaryDirectory() as folder:
        history = train(case, case.tasks.names, eq.Sum(), seed, settings, Path(folder)).history
    found = {task: value for _, split, task, what, value in history if (split, what) == ("train", "loss")}
    if len(found) > MOST_TASKS:
        found = {f"mean of {len(found)} tasks": fmean(found.values())}
    return {**found, "skill": next(value for *_, what, value in history if what == "skill")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", default="reviews,tox21,coffee-leaf,census", help="names, with commas between them")
    parser.add_argument("--seeds", type=int, default=3, help="how many; the table has means")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| case | | drawn | labels |\n|---|---|---|---|")
    for name in arguments.cases.split(","):
        case = CASES[name]()
        runs = {
            start: [first_epoch(case, start, seed) for seed in range(arguments.seeds)] for start in get_args(StartName)
        }
        for place, what in enumerate(runs["drawn"][0]):
            means = " | ".join(f"{fmean(run[what] for run in runs[start]):.3f}" for start in get_args(StartName))
            print(f"| {'' if place else name} | {what if what == 'skill' else f'loss, {what}'} | {means} |", flush=True)


if __name__ == "__main__":
    main()
