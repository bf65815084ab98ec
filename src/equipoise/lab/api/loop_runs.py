"""The runs of a training loop of one's own, in a folder that reads as a study's."""

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
from equipoise.lab.files import DamagedError, read_json, write_json, write_text
from equipoise.lab.studies import Run
from equipoise.lab.studies.tables import write_csv_files
from equipoise.lab.training.result import Moment, Score

FILE = "study.json"


class LoopRuns:
    """What is known of a loop's runs.

    Args:
        methods: By their names, in order, what each is with its arguments.
        seeds: Of each.
        metrics: That are judged, one for each task.
        folder: Made if need be; it holds runs of a loop with these tasks, or nothing.
        title: Of the results.

    Raises:
        ValueError: The folder holds runs with other tasks, of another method by one of the names, or something else.
    """

    def __init__(
        self, methods: Mapping[str, str], seeds: Sequence[int], metrics: Sequence[TaskMetric], folder: Path, title: str
    ) -> None:
        self.methods, self.seeds, self.metrics = list(methods), list(seeds), list(metrics)
        self._made = dict(methods)
        self.folder, self.title = folder, title
        self.failures: dict[str, str] = {}
        self._kept: dict[tuple[str, int], Mapping[str, Any]] = {}
        self._looks: list[Any] = []
        self._looks = self._earlier().get("looks", [])
        (folder / "runs").mkdir(parents=True, exist_ok=True)
        for method in self.methods:
            for seed in self.seeds:
                if (kept := self._read(method, seed)) is not None:
                    self._kept[method, seed] = kept
        self.write()

    @property
    def missing(self) -> list[tuple[str, int]]:
        """Method and seed of the runs that are not finished, seed by seed."""
        return [(method, seed) for seed in self.seeds for method in self.methods if (method, seed) not in self._kept]

    @property
    def finished(self) -> bool:
        """Whether any run is."""
        return bool(self._kept)

    def keep(self, method: str, seed: int, returned: Any, recorder: Recorder | None) -> None:
        """Take in what a run returned, and what it recorded.

        Raises:
            ValueError: It has not every task's metric, as a number.
        """
        needed = [f"{metric.task}/{metric.name}" for metric in self.metrics]
        if not isinstance(returned, Mapping) or any(key not in returned for key in needed):
            got = list(returned) if isinstance(returned, Mapping) else returned
            raise ValueError(f"train must return a mapping with {', '.join(needed)}, got {str(got)[:200]}")
        try:
            numbers = {str(key): _number(value) for key, value in returned.items()}
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"train must return numbers, got {str(dict(returned))[:200]}") from error
        kept: dict[str, Any] = {"method": method, "made": self._made[method], "seed": seed, "returned": numbers}
        if recorder is not None:
            shown = self._shown(method, seed)
            shown.mkdir(exist_ok=True)
            keep_diagnostics(shown, recorder.diagnostics)
            kept |= {"history": recorder.history, "epochs": recorder.epochs, "diagnostics": diagnostics_hash(shown)}
        path = self._path(method, seed)
        write_json(path, kept)
        path.with_suffix(".error.txt").unlink(missing_ok=True)
        self._kept[method, seed] = kept
        self.write()

    def keep_error(self, method: str, seed: int, line: str, trace: str) -> None:
        """Note why a run failed; in full beside the runs."""
        self.failures[f"{method}, seed {seed}"] = line
        write_text(self._path(method, seed).with_suffix(".error.txt"), trace)
        self.write()

    def write(self) -> None:
        """Write the tables of the finished runs, and study.json with what they must be."""
        runs = sorted((self.methods.index(method), seed, kept) for (method, seed), kept in self._kept.items())
        tasks = {metric.task for metric in self.metrics}
        names = [(self.methods[place], seed, kept) for place, seed, kept in runs]
        scores = [(name, seed, *score) for name, seed, kept in names for score in _scores(kept["returned"], tasks)]
        moments = [(name, seed, *moment) for name, seed, kept in names for moment in _moments(kept)]
        shown = [
            (name, seed, "all", self._shown(name, seed).relative_to(self.folder).as_posix(), kept["diagnostics"])
            for name, seed, kept in names
            if kept.get("diagnostics")
        ]
        files = write_csv_files(self.folder, scores, moments, [], shown)
        write_json(self.folder / FILE, {**self._about, FILES: files})

    @property
    def _about(self) -> dict[str, Any]:
        kinds = ("name", "higher_is_better", "perfect", "trivial")
        epochs = [kept["epochs"] for kept in self._kept.values() if "epochs" in kept]
        return {
            **{"loop": True, "case": "", "title": self.title, "equipoise": version("equipoise")},
            **{"methods": self.methods, "seeds": self.seeds, "complete": not self.missing, "failed": self.failures},
            "metrics": {metric.task: [{kind: getattr(metric, kind) for kind in kinds}] for metric in self.metrics},
            "tasks": {metric.task: {"loss": "of the loop", "weight": "of the loop"} for metric in self.metrics},
            "settings": {"epochs": max(epochs, default=0)},
            **{"data_hash": "", "split_sizes": {}, "test_reads": 1, "versions": {"torch": torch.__version__}},
            **({"looks": self._looks} if self._looks else {}),
        }

    def _earlier(self) -> dict[str, Any]:
        """The study.json of the folder, which holds no other runs."""
        file = self.folder / FILE
        if file.is_file():
            earlier: dict[str, Any] = read_json(file)
            if not earlier.get("loop"):
                raise ValueError(f"{self.folder} holds the study of a case: choose another folder")
            if earlier["metrics"] != (now := self._about["metrics"]):
                raise ValueError(
                    f"{self.folder} holds runs with other tasks ({earlier['metrics']}, now {now}): choose another "
                    "folder"
                )
            return earlier
        if self.folder.is_dir() and any(self.folder.iterdir()):
            raise ValueError(f"{self.folder} holds something else than a loop's runs: choose another folder")
        return {}

    def _read(self, method: str, seed: int) -> Mapping[str, Any] | None:
        path = self._path(method, seed)
        if not path.is_file():
            return None
        kept: Mapping[str, Any] = read_json(path)
        if (kept.get("method"), kept.get("seed")) != (method, seed):
            raise DamagedError(path, f"is not the run of {method}, seed {seed}")
        if (made := kept.get("made", self._made[method])) != self._made[method]:
            raise ValueError(
                f"in {self.folder} {method} is {made}, now it is {self._made[method]}: give it another name, or choose "
                "another folder"
            )
        return kept

    def _path(self, method: str, seed: int) -> Path:
        shown = self._shown(method, seed)
        return shown.with_name(f"{shown.name}.json")

    def _shown(self, method: str, seed: int) -> Path:
        """Where a run's diagnostics are."""
        return self.folder / "runs" / Run(MethodArm(method), ("all",), seed).folder_name


def _scores(returned: Mapping[str, float], tasks: set[str]) -> list[Score]:
    """What a run returned of the tasks; the rest stays in its file."""
    parts = [(split_name(key, tasks), value) for key, value in sorted(returned.items())]
    return [("test", *named, value) for named, value in parts if named]


def _moments(kept: Mapping[str, Any]) -> list[Moment]:
    return [tuple(moment) for moment in sorted(kept.get("history", ()))]


def _number(value: Any) -> float:
    return float(value.detach() if isinstance(value, torch.Tensor) else value)
