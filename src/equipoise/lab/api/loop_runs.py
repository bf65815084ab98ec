"""The runs of a user's own training loop, kept in a folder of a study's format."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from equipoise.lab.api.recorder import Recorder, split_name
from equipoise.lab.arms import MethodArm
from equipoise.lab.diagnostics import diagnostics_hash, keep_diagnostics
from equipoise.lab.evaluation import TaskMetric
from equipoise.lab.evaluation.folder import FILES
from equipoise.lab.files import DamagedError, make_folder, read_json, write_json, write_text
from equipoise.lab.studies import Run
from equipoise.lab.studies.tables import write_csv_files
from equipoise.lab.training.result import Moment, Score

FILE = "study.json"


class LoopRuns:
    """One run for every method and seed: those that are finished, and what is missing.

    The folder has a JSON file for each finished run in ``runs/``, and the tables of all of them and study.json, as a
    study of a case has, so that ``StudyResults.from_folder`` reads it.

    Args:
        methods: The methods in the order of the tables: name -> what it is with its arguments, as ``repr`` has it.
        seeds: The seeds that every method has.
        metrics: The metrics that are judged, one for each task.
        folder: Created if it is missing; else it is empty, or holds runs of a loop with these metrics, which count.
        title: The title of the results.
        train: What tells the function that runs from another: its name, Python's version and a checksum by it.

    Attributes:
        failures: The error in one line of each run that failed, by "method, seed k".

    Raises:
        ValueError: The folder holds runs with other metrics, of another function, of another method by one of the
            names, or something else.
    """

    def __init__(
        self,
        methods: Mapping[str, str],
        seeds: Sequence[int],
        metrics: Sequence[TaskMetric],
        folder: Path,
        title: str,
        train: Mapping[str, str],
    ) -> None:
        self.methods, self.seeds, self.metrics = list(methods), list(seeds), list(metrics)
        self._made = dict(methods)
        self.folder, self.title, self._train = folder, title, train
        self.failures: dict[str, str] = {}
        self._finished: dict[tuple[str, int], Mapping[str, Any]] = {}  # content of a run's file, by method and seed
        self._looks = self._read_looks()
        make_folder(folder / "runs")
        for method in self.methods:
            for seed in self.seeds:
                if (run := self._read(method, seed)) is not None:
                    self._finished[method, seed] = run
        self.write()

    @property
    def missing(self) -> list[tuple[str, int]]:
        """Method and seed of the runs that are not finished, seed by seed."""
        return [
            (method, seed) for seed in self.seeds for method in self.methods if (method, seed) not in self._finished
        ]

    @property
    def has_finished(self) -> bool:
        """Whether any run is finished."""
        return bool(self._finished)

    def keep(self, method: str, seed: int, returned: Any, recorder: Recorder | None) -> None:
        """Write the file of a finished run, and the tables with it.

        Args:
            method: The run's method.
            seed: The run's seed.
            returned: What the loop returned: a number or scalar tensor by "task/metric".
            recorder: The run's recorder, if it made one.

        Raises:
            ValueError: ``returned`` has not every task's metric, as a number.
        """
        needed = [f"{metric.task}/{metric.name}" for metric in self.metrics]
        if not isinstance(returned, Mapping) or any(key not in returned for key in needed):
            got = list(returned) if isinstance(returned, Mapping) else returned
            raise ValueError(f"train must return a mapping with {', '.join(needed)}, got {str(got)[:200]}")
        try:
            numbers = {str(key): _number(value) for key, value in returned.items()}
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"train must return numbers, got {str(dict(returned))[:200]}") from error
        run: dict[str, Any] = {"method": method, "made": self._made[method], "seed": seed, "returned": numbers}
        run["train"] = dict(self._train)
        if recorder is not None:
            folder = self._diagnostics_folder(method, seed)
            folder.mkdir(exist_ok=True)
            keep_diagnostics(folder, recorder.diagnostics)
            run |= {"history": recorder.history, "epochs": recorder.epochs, "diagnostics": diagnostics_hash(folder)}
        path = self._path(method, seed)
        write_json(path, run)
        path.with_suffix(".error.txt").unlink(missing_ok=True)
        self._finished[method, seed] = run
        self.write()

    def keep_error(self, method: str, seed: int, line: str, trace: str) -> None:
        """Note why a run failed: one line in ``failures`` and study.json, the traceback in a file beside the runs."""
        self.failures[f"{method}, seed {seed}"] = line
        write_text(self._path(method, seed).with_suffix(".error.txt"), trace)
        self.write()

    def write(self) -> None:
        """Write the tables of the finished runs, by method and seed, and study.json with the tables' checksums."""
        order = [(method, seed) for method in self.methods for seed in sorted(self.seeds)]
        runs = [(*key, self._finished[key]) for key in order if key in self._finished]
        tasks = {metric.task for metric in self.metrics}
        scores = [(method, seed, *score) for method, seed, run in runs for score in _scores(run["returned"], tasks)]
        moments = [(method, seed, *moment) for method, seed, run in runs for moment in _moments(run)]
        diagnostics = [
            (method, seed, "all", f"runs/{self._diagnostics_folder(method, seed).name}", run["diagnostics"])
            for method, seed, run in runs
            if run.get("diagnostics")
        ]
        files = write_csv_files(self.folder, scores, moments, [], diagnostics)
        write_json(self.folder / FILE, {**self._description, FILES: files})

    @property
    def _description(self) -> dict[str, Any]:
        """The content of study.json but the checksums; what only a case has is empty, or "of the loop"."""
        epochs = [run["epochs"] for run in self._finished.values() if "epochs" in run]
        return {
            "loop": True,
            "case": "",
            "title": self.title,
            "equipoise": version("equipoise"),
            "methods": self.methods,
            "seeds": self.seeds,
            "complete": not self.missing,
            "failed": self.failures,
            "metrics": self._described_metrics,
            "tasks": {metric.task: {"loss": "of the loop", "weight": "of the loop"} for metric in self.metrics},
            "settings": {"epochs": max(epochs, default=0)},
            "data_hash": "",
            "split_sizes": {},
            "test_reads": 1,
            "versions": {"torch": torch.__version__},
            **({"looks": self._looks} if self._looks else {}),
        }

    @property
    def _described_metrics(self) -> dict[str, list[dict[str, Any]]]:
        fields = ("name", "higher_is_better", "perfect", "trivial")
        return {metric.task: [{field: getattr(metric, field) for field in fields}] for metric in self.metrics}

    def _read_looks(self) -> list[Any]:
        """The interim looks at verdicts that the folder's study.json has; raises if the folder holds other runs."""
        file = self.folder / FILE
        if file.is_file():
            earlier: dict[str, Any] = read_json(file)
            if not earlier.get("loop"):
                raise ValueError(f"{self.folder} holds the study of a case: choose another folder")
            if earlier["metrics"] != (now := self._described_metrics):
                raise ValueError(
                    f"{self.folder} holds runs with other tasks ({earlier['metrics']}, now {now}): choose another "
                    "folder"
                )
            looks: list[Any] = earlier.get("looks", [])
            return looks
        if self.folder.is_dir() and any(self.folder.iterdir()):
            raise ValueError(f"{self.folder} holds something else than a loop's runs: choose another folder")
        return []

    def _read(self, method: str, seed: int) -> Mapping[str, Any] | None:
        """The content of a run's file; None where it is not finished."""
        path = self._path(method, seed)
        if not path.is_file():
            return None
        run: Mapping[str, Any] = read_json(path)
        if (run.get("method"), run.get("seed")) != (method, seed):
            raise DamagedError(path, f"is not the run of {method}, seed {seed}")
        if (made := run.get("made", self._made[method])) != self._made[method]:
            raise ValueError(
                f"in {self.folder} {method} is {made}, now it is {self._made[method]}: give it another name, or choose "
                "another folder"
            )
        then, now = run.get("train", {}), self._train  # earlier versions wrote none, or another checksum
        if then.get("python") == now["python"] and then.get("checksum", now["checksum"]) != now["checksum"]:
            other = then["name"] != now["name"]
            held = (
                f"{then['name']}, not of {now['name']}" if other else f"{then['name']} as it was before it was changed"
            )
            raise ValueError(
                f"{self.folder} holds runs of {held}: choose another folder, or delete {self.folder / 'runs'} to run "
                f"all anew by {now['name']} as it is"
            )
        return run

    def _path(self, method: str, seed: int) -> Path:
        folder = self._diagnostics_folder(method, seed)
        return folder.with_name(f"{folder.name}.json")

    def _diagnostics_folder(self, method: str, seed: int) -> Path:
        return self.folder / "runs" / Run(MethodArm(method), ("all",), seed).folder_name


def _scores(returned: Mapping[str, float], tasks: set[str]) -> list[Score]:
    """The rows of runs.csv: what a run returned of these tasks; anything else stays in the run's file."""
    parts = [(split_name(key, tasks), value) for key, value in sorted(returned.items())]
    return [("test", *named, value) for named, value in parts if named]


def _moments(run: Mapping[str, Any]) -> list[Moment]:
    """The rows of history.csv."""
    return [tuple(moment) for moment in sorted(run.get("history", ()))]


def _number(value: Any) -> float:
    return float(value.detach() if isinstance(value, torch.Tensor) else value)
