"""Two processes, each with half of every batch, train the network that one process trains on the whole batch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from by_hand import flat, mgda, plain_sum, train_by_hand
from two_processes import ACCUMULATION, MAX_NORM, TRAINERS

SCRIPT = Path(__file__).parent / "two_processes.py"
PACKAGES = {"lightning": "lightning", "fabric": "lightning", "hugging_face": "transformers", "ignite": "ignite"}
BY_HAND = {"sum": plain_sum, "mgda": mgda}


@pytest.mark.slow
@pytest.mark.parametrize("trainer", TRAINERS)
def test_they_train_as_one_process_on_the_joint_batch(trainer, tmp_path):
    pytest.importorskip(PACKAGES.get(trainer, "torch"))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    run = subprocess.run(
        [*launch, str(SCRIPT), trainer, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
    )
    assert run.returncode == 0, run.stderr[-4000:]
    for method, by_hand in BY_HAND.items():
        zero, one = (torch.load(tmp_path / f"{method}-rank{rank}.pt") for rank in range(2))
        assert torch.equal(zero, one)
        wanted = flat(train_by_hand(by_hand, batch_size=16, accumulation=ACCUMULATION, max_norm=MAX_NORM))
        assert float((zero - wanted).abs().max() / wanted.abs().max()) <= 1e-6
