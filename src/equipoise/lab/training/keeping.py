"""The weights of the best epoch by each criterion."""

import math
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn

from equipoise.lab.files import replace_file
from equipoise.lab.training.checkpoint import Best, Progress
from equipoise.lab.training.selection import Metrics, Values, score


def keep_better(
    progress: Progress, criteria: Iterable[str], values: Values, metrics: Metrics, network: nn.Module
) -> None:
    """Remember the network's weights for each criterion by which this epoch is better than all before, NaN never."""
    better = {}
    for criterion in criteria:
        value = score(criterion, values, metrics)
        before = progress.best.get(criterion)
        if before is None or value > before["score"] or (math.isnan(before["score"]) and not math.isnan(value)):
            better[criterion] = value
    if better:
        weights = {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}
        progress.best |= {
            name: Best(epoch=progress.epoch, score=value, weights=weights) for name, value in better.items()
        }


def write_best(path: Path, progress: Progress) -> None:
    """Write {criterion: {epoch, score, weights}}, as ``torch.load(path)`` reads it."""
    replace_file(path, lambda file: torch.save(progress.best, file))
