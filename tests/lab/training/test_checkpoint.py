"""What a run finds in its folder."""

import pytest
import torch

from equipoise.lab.files import save_with_checksum
from equipoise.lab.training.checkpoint import load_checkpoint
from equipoise.lab.training.measurements import peak_mb, reset_peak


def test_a_damaged_checkpoint_is_named_with_its_remedy(tmp_path):
    path = tmp_path / "checkpoint.pt"
    save_with_checksum(path, {"run": "this"})
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"checkpoint.pt is damaged .*: delete it"):
        load_checkpoint(path, "this", {}, rank=0)


def test_a_checkpoint_that_holds_something_else_is_named_with_its_remedy(tmp_path):
    path = tmp_path / "checkpoint.pt"
    save_with_checksum(path, {"run": "this", "progress": {"history": [], "skills": []}, "parts": {}})
    with pytest.raises(ValueError, match=r"checkpoint\.pt is of another version of the package: delete it"):
        load_checkpoint(path, "this", {}, rank=0)


def test_the_peak_is_that_of_the_run_not_of_its_process():
    cpu = torch.device("cpu")
    reset_peak(cpu)
    before = peak_mb(cpu)
    room = torch.ones(40_000_000)  # 160 MB
    assert peak_mb(cpu) > before + 150
    del room
    reset_peak(cpu)
    assert peak_mb(cpu) < before + 20
