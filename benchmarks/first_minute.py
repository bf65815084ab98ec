"""What a new user waits for: help, a wrong name, ``init`` of a large table, making a case of a wide one.

    python benchmarks/first_minute.py

Each in a fresh process, the median of some; judged by seconds of a processor, since wall-clock time is also that of
whatever else runs. The first process of each warms the file cache and is not counted.
"""

import argparse
import csv
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

_CASE = """
from equipoise.lab.cases import TableCase, Target
import time
begin = time.process_time()
TableCase("wide.csv", (Target("y", "binary"),), number=("bit*",))()
print(time.process_time() - begin)
"""
_COMMAND = [sys.executable, "-m", "equipoise"]


def _write(path: Path, columns: dict[str, np.ndarray | list[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [list(columns), *zip(*[map(str, column) for column in columns.values()], strict=True)]
        )


def _tables(folder: Path) -> None:
    rng, rows = np.random.default_rng(0), 100_000
    words = np.array([f"word{i}" for i in range(20)])
    large = {"id": np.arange(rows)}
    large |= {f"x{i}": rng.normal(size=rows).round(3) for i in range(8)}
    large |= {f"n{i}": rng.integers(0, 100, rows) for i in range(4)}
    large |= {f"c{i}": np.char.add("level ", rng.integers(0, 5 + 10 * i, rows).astype(str)) for i in range(4)}
    large["text"] = [" ".join(words[picked]) for picked in rng.integers(0, len(words), (rows, 10))]
    large["price"] = np.where(rng.random(rows) < 0.1, "", rng.lognormal(size=rows).round(2).astype(str))
    large["liked"] = np.array(["no", "yes"])[rng.integers(0, 2, rows)]
    _write(folder / "large.csv", large)
    wide = {"y": rng.integers(0, 2, 8000)} | {f"bit{i}": rng.integers(0, 2, 8000) for i in range(1024)}
    _write(folder / "wide.csv", wide)


def _seconds(words: list[str], folder: Path) -> tuple[float, float]:
    """Of a processor and of the clock."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(words, cwd=folder, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - begin
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _tables(folder)
        init = [*_COMMAND, "init", "large.csv", "--target", "price", "--target", "liked", "--out"]
        measured = {
            "--help": (0.5, [[*_COMMAND, "--help"]] * (repeats + 1)),
            "compare nofile.csv": (1.0, [[*_COMMAND, "compare", "nofile.csv"]] * (repeats + 1)),
            "compare reviws": (1.0, [[*_COMMAND, "compare", "reviws"]] * (repeats + 1)),
            "init, 100,000 rows x 20 columns": (5.0, [[*init, f"{i}.yaml"] for i in range(repeats + 1)]),
            "import torch": (None, [[sys.executable, "-c", "import torch"]] * (repeats + 1)),
            "methods": (2.0, [[*_COMMAND, "methods"]] * (repeats + 1)),
            "losses": (2.0, [[*_COMMAND, "losses"]] * (repeats + 1)),
        }
        for what, (limit, commands) in measured.items():
            _show(what, limit, [_seconds(words, folder) for words in commands][1:])
        found = []
        for _ in range(repeats):
            begin = time.perf_counter()
            child = subprocess.run(
                [sys.executable, "-c", _CASE], cwd=folder, capture_output=True, text=True, check=True
            )
            found.append((float(child.stdout), time.perf_counter() - begin))
        _show("a case of 8,000 rows x 1,024 bits", 5.0, found)


def _show(what: str, limit: float | None, seconds: list[tuple[float, float]]) -> None:
    processor, wall = (statistics.median(times) for times in zip(*seconds, strict=True))
    verdict = "" if limit is None else f"  {'met' if processor <= limit else 'MISSED'}: at most {limit} s"
    print(f"{what:36} {processor:5.2f} s of a processor, {wall:5.2f} s{verdict}", flush=True)


if __name__ == "__main__":
    main()
