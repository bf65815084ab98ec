"""Minutes from a table with hundreds of assays to the report of a study: one seed of three methods, at two processes.

The third is MGDA, which has the products of 600 gradients in every step.

The table is drawn as ToxCast is: molecules by bits of a fingerprint, assays that follow a few hidden properties, most
labels missing, few of them active. The command that is timed is printed.

    python benchmarks/many_tasks.py [--tasks 600] [--rows 8000] [--bits 512] [--missing 0.7] [--out FOLDER]
"""

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HIDDEN = 8  # properties that bits decide and assays depend on
ACTIVE = 0.1  # of an assay's labels


def write_table(path, rows, bits, tasks, missing):
    """Bits b0, b1, … and assays t0, t1, … of 0, 1 or an empty cell."""
    generator = np.random.default_rng(0)
    x = generator.random((rows, bits)) < 0.2
    hidden = x @ generator.normal(size=(bits, HIDDEN))
    hidden = (hidden - hidden.mean(0)) / hidden.std(0)
    score = hidden @ generator.normal(size=(HIDDEN, tasks)) / HIDDEN**0.5 + 0.7 * generator.normal(size=(rows, tasks))
    labels = np.where(score > np.quantile(score, 1 - ACTIVE, axis=0), "1", "0")
    labels[generator.random((rows, tasks)) < missing] = ""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"b{i}" for i in range(bits)), *(f"t{k}" for k in range(tasks))])
        writer.writerows([*map(int, inputs), *row] for inputs, row in zip(x, labels.tolist(), strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=600)
    parser.add_argument("--rows", type=int, default=8000)
    parser.add_argument("--bits", type=int, default=512)
    parser.add_argument("--missing", type=float, default=0.7)
    parser.add_argument("--methods", default="sum,uw,mgda")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, help="a folder that is kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = options.out or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        table = place / "assays.csv"
        write_table(table, options.rows, options.bits, options.tasks, options.missing)
        words = ["compare", table, "--target", "t*:binary", "--number", "b*", "--methods", options.methods, "--seeds"]
        words += ["1", "--epochs", options.epochs, "--batch-size", options.batch_size, "--jobs", options.jobs]
        command = [sys.executable, "-m", "equipoise", *map(str, words), "--out", str(place / "study")]
        print(f"equipoise {' '.join(command[3:])}", flush=True)
        began = time.perf_counter()
        done = subprocess.run(command, check=False)
        minutes = (time.perf_counter() - began) / 60
        sizes = {name: (place / "study" / name).stat().st_size / 1e6 for name in ("report.html", "history.csv")}
        print(
            f"{minutes:.1f} minutes, status {done.returncode}; MB:", {name: round(mb, 1) for name, mb in sizes.items()}
        )


if __name__ == "__main__":
    main()
