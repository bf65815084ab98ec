"""A fair comparison of methods, on a case or by a training loop of one's own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from equipoise.lab.api.case_study import compare_case
from equipoise.lab.api.defaults import METHODS, SEEDS
from equipoise.lab.api.loops import compare_loop
from equipoise.lab.api.results import Results
from equipoise.lab.arms import StudyArm
from equipoise.method import Method


def compare(
    case: Any,
    methods: Sequence[str | Method | StudyArm] | Mapping[str, str | Method | StudyArm] | None = None,
    seeds: int | Sequence[int] = SEEDS,
    *,
    folder: str | Path | None = None,
    **options: Any,
) -> Results:
    """Train under several methods with the same seeds, and judge the results.

    A case is trained in worker processes (``compare_case``), so a script calls this below ``if __name__ ==
    "__main__":``; a function ``train(arm, seed)`` is called in this process (``compare_loop``). Where the folder holds
    finished runs, only what is missing is run. A run that fails does not end the comparison: see ``Results.failures``;
    the next call tries it again.

    Args:
        case: A case by name (``"reviews"``), as ``path/to/file.py:make_case``, a ``Case``, or a recipe such as a
            ``TableCase``. Or ``train(arm, seed) -> {"task/metric": value}``, a loop of one's own that makes its
            balancer by ``arm.balancer(model, tasks)`` and returns test metrics.
        methods: By name, as ``path/to/file.py:Name``, or as objects; for a loop also {name: method}. None: the plain
            sum for the questions ``sharing`` and ``losses``, else six common ones.
        seeds: How many, or which.
        folder: Where runs are kept. None: ``equipoise-runs/CASE``; for a loop: nothing is kept.
        options: Of a case ``jobs``, ``question``, ``tuned_trials`` and the settings of its training, such as
            ``epochs``; of a loop ``tasks``, {task: (metric, "higher" or "lower")}, and a ``title``.

    Raises:
        ValueError: A case, a method, a seed or an option cannot be used, or the folder holds something else.
        RuntimeError: No run finished.
    """
    if isinstance(methods, str | Method | StudyArm):
        raise ValueError(f"methods must be a list, such as ['sum', 'uw'], got {methods!r}")
    if "tasks" in options or (callable(case) and not hasattr(case, "options")):
        return compare_loop(case, METHODS if methods is None else methods, seeds, folder=folder, **options)
    return compare_case(case, methods, seeds, folder=folder, **options)  # type: ignore[arg-type]
