"""Any process of a study or a search, killed at random ten times: the result is that of one that was left alone.

pytest -m exhaustive tests/lab/search/test_random_kills.py -s
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

CASE = f"{Path(__file__).parents[1] / 'studies' / 'tiny_case.py'}:make_case"
KILLS = 10
COMMANDS = {
    "compare": (
        ["--methods=sum,uw,frozen-uw,pcgrad", "--seeds=2", "--epochs=120", "--tuned-trials=4"],
        ("runs.csv", "history.csv", "tuned.json", "tuned/trials.csv"),
    ),
    "tune": (["--search=weights,lr", "--trials=24", "--epochs=60"], ("trials.csv",)),
}


def start(command, options, folder):
    words = [sys.executable, "-m", "equipoise", command, CASE, *options, "--jobs=2", f"--out={folder}"]
    return subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
    )


def children(parent):
    """Process numbers of those that a process started; itself not."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if int((place / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(place.name))
    return found


def kill_one(parent, generator):
    """Kill the parent or one of its children, each as likely as all of them together; what it was."""
    workers = children(parent.pid)
    victim, what = parent.pid, "parent"
    if workers and generator.random() < 0.5:
        victim, what = generator.choice(workers), "child"
    with contextlib.suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    return what


def paste(output):
    """The lines that a user copies: the weights of a search."""
    return [line for line in output.splitlines() if line.startswith(("method = ", "learning_rate = "))]


@pytest.mark.exhaustive
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="children are found in /proc")
@pytest.mark.parametrize("command", COMMANDS)
def test_ten_random_kills_change_nothing(command, tmp_path):
    options, files = COMMANDS[command]
    generator = random.Random(0)
    began = time.monotonic()
    undisturbed = start(command, options, tmp_path / "undisturbed")
    said = undisturbed.communicate(timeout=600)[0]
    assert undisturbed.returncode == 0, said
    duration = time.monotonic() - began
    killed, folder, attempt = Counter(), tmp_path / "0", 0
    while True:
        process = start(command, options, folder)
        patience = generator.uniform(0.2, 1.0) * duration if killed.total() < KILLS else 600
        try:
            output, _ = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            assert killed.total() < KILLS, "it hangs"
            killed[kill_one(process, generator)] += 1
            if process.poll() is None and generator.random() < 0.5:
                continue_for = generator.uniform(0.0, 0.5) * duration  # a lost worker, then the parent lives on
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.communicate(timeout=continue_for)
            if process.poll() is None:
                process.kill()
                killed["parent"] += 1
            process.communicate(timeout=600)  # ends when the last worker does, which may still be importing torch
            continue
        if process.returncode != 0:
            continue  # a worker was lost: the same command goes on
        for name in files:
            assert (folder / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes(), name
        assert paste(output) == paste(said)
        if killed.total() >= KILLS:
            break
        attempt += 1
        folder = tmp_path / str(attempt)
    print(f"{command}: killed {dict(killed)}, {attempt + 1} whole results, all the same")
