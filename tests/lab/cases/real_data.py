"""The real data, where the machine has it."""

import os
from pathlib import Path

import pytest


def needs(name):
    """A mark for tests that read a data set: skipped where its folder is not there."""
    root = os.environ.get("EQUIPOISE_DATA")
    there = bool(root) and (Path(root) / name).is_dir()
    return pytest.mark.skipif(not there, reason=f"EQUIPOISE_DATA names no folder with {name}/")


def whole(case, split):
    """All of a split as one batch."""
    data = case.data[split]
    return case.collate(data.__getitems__(range(len(data))))


def trained(case, seed, folder, epochs=None):
    """The test scores by task and metric after a run of the plain sum."""
    import equipoise as eq
    from equipoise.lab.training import Settings, train

    settings = Settings(
        epochs or case.epochs, case.batch_size, case.learning_rate, case.weight_decay, None, case.patience
    )
    result = train(case, case.tasks.names, eq.Sum(), seed, settings, folder)
    return {(task, metric): value for split, task, metric, value in result.scores if split == "test"}
