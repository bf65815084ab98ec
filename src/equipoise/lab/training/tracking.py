"""A run's curves in TensorBoard, Weights & Biases or MLflow, through Accelerate's trackers."""

import importlib.util
import math
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from accelerate.tracking import GeneralTracker, MLflowTracker, TensorBoardTracker, WandBTracker

from equipoise.lab.training.device import make_accelerator
from equipoise.lab.training.result import Moment

TRACKERS = ("tensorboard", "wandb", "mlflow")


def require_tracker(kind: str) -> None:
    """Raise unless the package of a tracker is there.

    Raises:
        ValueError: There is no such tracker, or its package is missing.
    """
    if kind not in TRACKERS:
        raise ValueError(f"no tracker {kind!r}; there are {', '.join(TRACKERS)}")
    if importlib.util.find_spec(kind) is None:
        raise ValueError(f"the tracker {kind!r} needs its package: pip install {kind}")


class RunTracker:
    """One run in a tracker: it begins empty, whatever an interrupted attempt of the same run left there.

    Everything stays on this machine, below ``folder``, unless the tracker's own variables say otherwise:
    ``WANDB_MODE``, ``MLFLOW_TRACKING_URI``.

    Args:
        kind: One of ``TRACKERS``.
        folder: ``folder/kind`` is that of all runs of a study.
        project: What the runs have in common, such as the case.
        run: The name of this one.
        settings: What to note of it.

    Raises:
        ValueError: As ``require_tracker``.
    """

    def __init__(self, kind: str, folder: Path, project: str, run: str, settings: Mapping[str, Any]) -> None:
        require_tracker(kind)
        make_accelerator()  # Accelerate's trackers ask it which process they are in
        place = folder / kind
        place.mkdir(parents=True, exist_ok=True)
        self._tracker = _STARTS[kind](place, project, run)
        self._tracker.start()
        self._tracker.store_init_configuration({key: _plain(value) for key, value in settings.items()})

    def log(self, moments: Sequence[Moment]) -> None:
        """Take in rows of a history, whole epochs in order; what is not finite leaves a gap."""
        for epoch, rows in groupby(moments, key=lambda moment: moment[0]):
            values = {curve_name(*row[1:4]): row[4] for row in rows if math.isfinite(row[4])}
            self._tracker.log(values, step=epoch)

    def finish(self) -> None:
        """The run is over, or is broken off."""
        self._tracker.finish()


def curve_name(split: str, task: str, quantity: str) -> str:
    """What a curve is called, in letters that every tracker takes: by task first, so that trackers group by it.

    >>> curve_name("train", "rating|department", "cosine"), curve_name("validation", "a b%", "loss")
    ('rating and department/train cosine', 'a b_/validation loss')
    """
    return re.sub(r"[^\w\-. :/]", "_", f"{task.replace('|', ' and ')}/{split} {quantity}")


def _tensorboard(place: Path, project: str, run: str) -> GeneralTracker:
    shutil.rmtree(place / run, ignore_errors=True)
    return TensorBoardTracker(run, logging_dir=place)


def _wandb(place: Path, project: str, run: str) -> GeneralTracker:
    shutil.rmtree(place / run, ignore_errors=True)
    (place / run).mkdir()
    os.environ.setdefault("WANDB_SILENT", "true")  # a study shows its own progress
    mode = os.environ.get("WANDB_MODE", "offline")
    return _WholeFile(project, name=run, group=project, dir=str(place / run), mode=mode)


class _WholeFile(WandBTracker):  # type: ignore[misc]
    """Its end waits until the run's file is written, which a worker may not outlive."""

    def finish(self) -> None:
        import wandb

        super().finish()
        wandb.teardown()


def _mlflow(place: Path, project: str, run: str) -> GeneralTracker:
    import mlflow

    if "MLFLOW_TRACKING_URI" not in os.environ:
        mlflow.set_tracking_uri(f"sqlite:///{(place / 'mlflow.db').resolve()}")
    experiment = mlflow.get_experiment_by_name(project)
    if experiment is not None:
        named = f"attributes.run_name = '{run}'"
        for earlier in mlflow.search_runs([experiment.experiment_id], named, output_format="list"):
            mlflow.delete_run(earlier.info.run_id)
    return MLflowTracker(project, logging_dir=(place / "artifacts").resolve().as_uri(), run_name=run)


_STARTS = {"tensorboard": _tensorboard, "wandb": _wandb, "mlflow": _mlflow}


def _plain(value: Any) -> bool | int | float | str:
    return value if isinstance(value, bool | int | float | str) else str(value)
