"""What heads that begin at the labels change: losses over the first epoch, and the skill after it.

python benchmarks/label_start.py --cases reviews,tox21
"""

import argparse
import tempfile
from pathlib import Path

import torch

import equipoise as eq
from equipoise.lab.cases import CASES
from equipoise.lab.studies.plan import case_settings
from equipoise.lab.training import train


def first_epoch(case, start, seed):
    """Training losses by task, and the mean skill on validation."""
    settings = case_settings(case, epochs=1, start=start)
    with tempfile.TemporaryDirectory() as folder:
        history = train(case, case.tasks.names, eq.Sum(), seed, settings, Path(folder)).history
    losses = {task: value for _, split, task, what, value in history if (split, what) == ("train", "loss")}
    return losses, next(value for *_, what, value in history if what == "skill")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", default="reviews,tox21,coffee-leaf,census", help="names, with commas between them")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| case, task | loss, drawn | loss, labels | skill, drawn | skill, labels |\n|---|---|---|---|---|")
    for name in arguments.cases.split(","):
        case = CASES[name]()
        runs = {
            start: [first_epoch(case, start, seed) for seed in range(arguments.seeds)] for start in ("drawn", "labels")
        }
        means = {
            start: [
                sum(skill for _, skill in of) / len(of),
                {t: sum(ls[t] for ls, _ in of) / len(of) for t in of[0][0]},
            ]
            for start, of in runs.items()
        }
        (drawn, drawn_losses), (labels, label_losses) = means["drawn"], means["labels"]
        for place, task in enumerate(drawn_losses):
            skills = f"{drawn:.3f} | {labels:.3f}" if place == 0 else " | "
            print(f"| {name}, {task} | {drawn_losses[task]:.3f} | {label_losses[task]:.3f} | {skills} |", flush=True)


if __name__ == "__main__":
    main()
