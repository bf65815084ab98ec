"""The largest memory of a run, though its process may have had others before."""

import math
from pathlib import Path

import torch

_PROCESS = Path("/proc/self")  # Linux


def reset_peak(device: torch.device) -> None:
    """Begin to look for the peak anew."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif (_PROCESS / "clear_refs").exists():
        (_PROCESS / "clear_refs").write_text("5")


def peak_mb(device: torch.device) -> float:
    """The peak since then in 10^6 bytes: what torch held on a GPU, else resident memory; NaN if nobody tells."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    if not (_PROCESS / "status").exists():
        return math.nan
    lines = (_PROCESS / "status").read_text(encoding="utf-8").splitlines()
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:")), math.nan)
