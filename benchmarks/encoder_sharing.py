"""Cost and results of each architecture on a case: parameters, time of a step, test metrics of the plain sum.

python benchmarks/encoder_sharing.py --case census --models hard,mmoe --epochs 2 --seeds 3
"""

import argparse
import tempfile
from pathlib import Path
from statistics import fmean, stdev

import torch

import equipoise as eq
from equipoise.lab.cases import CASES, with_architecture
from equipoise.lab.models.architectures import ARCHITECTURES
from equipoise.lab.training import train
from equipoise.lab.training.loop import case_settings


def measure(case, epochs, seeds):
    """Seconds per step, and the primary test metric of each task, by seed."""
    settings, seconds, scores = case_settings(case, epochs=epochs), [], []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            result = train(case, case.tasks.names, eq.Sum(), seed, settings, Path(folder))
        found = {(task, metric): value for split, task, metric, value in result.scores if split == "test"}
        scores.append([found[task, case.metrics[task][0].name] for task in case.tasks.names])
        seconds.append(result.seconds_per_step)
    return fmean(seconds), list(zip(*scores, strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", default="census", help="a name")
    parser.add_argument("--models", default=",".join(("hard", *ARCHITECTURES)), help="names, with commas between them")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3, help="how many, at least 2")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    plain = CASES[arguments.case]()
    heads = " | ".join(f"{task}, {plain.metrics[task][0].name}" for task in plain.tasks.names)
    print(f"| model | parameters | ms per step | {heads} |\n|---|---|---|{'---|' * len(plain.tasks)}")
    for name in arguments.models.split(","):
        case = plain if name == "hard" else with_architecture(plain, name)
        size = sum(parameter.numel() for parameter in case.model(case.tasks.names).parameters())
        seconds, scores = measure(case, arguments.epochs, arguments.seeds)
        cells = " | ".join(f"{fmean(of):.4f} ± {stdev(of):.4f}" for of in scores)
        print(f"| {name} | {size:,} | {1000 * seconds:.1f} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
