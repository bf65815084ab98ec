"""Two processes that share every batch train the network that one process trains."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from two_trainings import METHODS, SETTINGS, train_all

from equipoise.lab.training import RunResult

SCRIPT = Path(__file__).parent / "two_trainings.py"
NAMES = [f"{kind}-{method}" for kind in SETTINGS for method in METHODS]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Of one process and of two."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    train_all(one)
    # with --cpu instead, Accelerate starts one process
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    command = [*launch, "--main_process_port=0", SCRIPT, two]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert run.returncode == 0, run.stderr[-4000:]
    return one, two


def told(result, rows, name):
    """Values by what they are of; gradients only where every step measures them, of however many parts."""
    measures = ("gradient_norm", "cosine", "magnitude_similarity", "log10_condition_number")
    unmeasured = measures if name in ("options-sum", "options-uw") else ()
    return {row[:-1]: row[-1] for row in getattr(result, rows) if not row[-2].startswith(unmeasured)}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_their_results_are_those_of_one_process(name, folders):
    one, two = (RunResult.read(folder / name / "result.json") for folder in folders)
    for rows in ("history", "scores"):
        single, joint = (told(result, rows, name) for result in (one, two))
        assert joint == pytest.approx(single, rel=1e-6)
    assert (two.best_epochs, two.stopped_tasks, two.steps) == (one.best_epochs, one.stopped_tasks, one.steps)
    assert two.run == f"{one.run}, 2 processes"
    if name.startswith("options"):
        assert one.stopped_tasks
        single, joint = (torch.load(folder / name / "best.pt", weights_only=True) for folder in folders)
        for criterion, best in single.items():
            for parameter, weights in best["weights"].items():
                torch.testing.assert_close(joint[criterion]["weights"][parameter], weights, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
def test_they_go_on_where_they_were_broken_off_to_the_last_bit(folders):
    whole, broken = (RunResult.read(folders[1] / name / "result.json") for name in ("options-mgda", "broken-mgda"))
    assert (broken.history, broken.scores, broken.best_epochs) == (whole.history, whole.scores, whole.best_epochs)


@pytest.mark.slow
def test_they_draw_different_dropouts(folders):
    zero, one = (torch.load(folders[1] / f"draw-{rank}.pt") for rank in range(2))
    assert not torch.equal(zero, one)
