"""Methods that a study learns itself: fixed weights from a search, or from the end of another method's run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import equipoise as eq
from equipoise.chain import split
from equipoise.lab.arms import TUNED, MethodArm, StudyArm
from equipoise.lab.files import read_json, write_json
from equipoise.lab.training import RunResult

FILE = "tuned.json"


def write_tuned(folder: Path, about: Mapping[str, Any]) -> None:
    """Keep what a search found in a study's folder: ``weights`` by task, or the ``reason`` for none, trials, seed."""
    write_json(folder / FILE, about)


def read_tuned(folder: Path) -> dict[str, Any] | None:
    """What ``write_tuned`` kept; None before."""
    path = folder / FILE
    return read_json(path) if path.is_file() else None


def derived_method(
    arm: StudyArm, tasks: eq.Tasks, names: Sequence[str], folder: Path, source: Path | None
) -> eq.Method:
    """Fixed weights, tuned or frozen.

    Args:
        arm: Whose.
        tasks: Of the case, whose own weights multiply the method's.
        names: Those that are trained.
        folder: Of the study.
        source: For a frozen one: the result of the run whose last weights it takes.

    Raises:
        ValueError: If the search or the run found no weights.
    """
    if source is None:
        weights = _tuned(folder)
    else:
        effective = _last(source, arm)
        weights = {name: weight / tasks[name].weight for name, weight in effective.items()}
    return eq.Fixed({name: weights[name] for name in names})


def require_freezable(arm: StudyArm, arms: Sequence[StudyArm]) -> None:
    """Raise a ValueError for frozen weights of what is not trained beside them, or decides none per task."""
    source = arm.source
    if source not in arms:
        raise ValueError(f"{arm} takes its weights from {source}: add it to the methods")
    if not (isinstance(source, MethodArm) and split(source.make()).decides_weights):
        raise ValueError(f"{source} decides no one weight for each task, so there is none to freeze")


def _tuned(folder: Path) -> dict[str, float]:
    about = read_tuned(folder)
    if about is None or "weights" not in about:
        raise ValueError(f"no {TUNED} weights: {(about or {}).get('reason', 'the search has not ended')}")
    weights: dict[str, float] = about["weights"]
    return weights


def _last(source: Path, arm: StudyArm) -> dict[str, float]:
    """Each task's mean weight in the last epoch in which it took part."""
    if not source.is_file():
        raise ValueError(f"no weights of {arm.source} to freeze: its run has not ended well")
    result = RunResult.read(source)
    return {
        task: value  # of the later of two epochs
        for _, split, task, quantity, value in result.history
        if (split, quantity) == ("train", "weight")
    }
