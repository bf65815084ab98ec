"""Loops of one's own: the same seeds for every method, each run kept, a failure listed and not the end."""

import copy
import random
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

import equipoise as eq
from equipoise.lab.api.results import Results
from equipoise.lab.api.rows import direction
from equipoise.lab.evaluation import SINGLE_TASK, Summary, TaskMetric
from equipoise.lab.files import DamagedError, read_json, write_json, write_text
from equipoise.registry import method_name

FILE = "loop.json"
Train = Callable[["Arm", int], Mapping[str, Any]]


@dataclass(frozen=True)
class Arm:
    """A method with one seed, as a loop of one's own gets it; nothing in it has seen another run.

    Args:
        name: Of the method, as the results show it.
        seed: Of the run; those of ``random``, numpy and torch are set to it already.
        method: Made for this run.
    """

    name: str
    seed: int
    method: eq.Method = field(repr=False)

    def balancer(self, model: Any, tasks: Any, **options: Any) -> eq.Balancer:
        """The balancer of this run's model; arguments as of ``eq.Balancer``."""
        return eq.Balancer(self.method, model, tasks=tasks, **options)


def name_of(method: str | eq.Method) -> str:
    """The name of a method in results: that of the table where its arguments are the defaults, else its ``repr``.

    >>> name_of(eq.DWA()), name_of(eq.DWA(temperature=1.0)), name_of("NashMTL")
    ('dwa', 'DWA(temperature=1.0)', 'nash-mtl')
    """
    if isinstance(method, str):
        return method if ".py:" in method or "=" in method else method_name(method)
    if not isinstance(method, eq.Method):
        raise ValueError(f"a method is a name or an object such as eq.UW(), got {type(method).__name__}")
    with suppress(ValueError, TypeError):  # of no table, or one that needs arguments
        name = method_name(type(method).__name__)
        if repr(eq.method(name)) == repr(method):
            return name
    return repr(method)


def compare_loop(
    train: Train,
    methods: Sequence[str | eq.Method] | Mapping[str, str | eq.Method],
    seeds: Sequence[int],
    tasks: Mapping[str, tuple[str, str]],
    folder: Path | None,
    title: str,
) -> Results:
    """``compare`` of a loop; arguments as there."""
    given = list(methods.items()) if isinstance(methods, Mapping) else [(name_of(each), each) for each in methods]
    _require(given, seeds)
    metrics = [TaskMetric(task, name, direction(way, f"tasks: {task!r}")) for task, (name, way) in tasks.items()]
    loop = _Loop([name for name, _ in given], list(seeds), metrics, folder, title)
    loop.write()
    errors: dict[str, Exception] = {}
    from rich.console import Console
    from rich.progress import track

    console = Console()
    missing = [(name, each, seed) for seed in seeds for name, each in given if loop.result(name, seed) is None]
    for name, method, seed in track(missing, title, console=console, transient=True, disable=not console.is_terminal):
        _set_seeds(seed)
        try:
            arm = Arm(name, seed, eq.method(method) if isinstance(method, str) else copy.deepcopy(method))
            returned = train(arm, seed)
        except Exception as error:  # whatever a user's loop does, it costs this run only
            errors[f"{name}, seed {seed}"] = error
            loop.keep_error(name, seed, traceback.format_exc())
        else:
            loop.keep(name, seed, returned)
    if not loop.values and errors:
        run, first = next(iter(errors.items()))
        raise RuntimeError(f"no run finished; {run} failed: {_line(first)}") from first
    return loop.results({run: _line(error) for run, error in errors.items()})


def load_loop(folder: Path) -> Results:
    """The results that ``compare_loop`` kept.

    Raises:
        ValueError: None is there, or a file is damaged.
    """
    about = read_json(folder / FILE)
    metrics = [TaskMetric(task, name, higher) for task, name, higher in about["tasks"]]
    loop = _Loop(about["methods"], about["seeds"], metrics, folder, about["title"])
    for name in loop.methods:
        for seed in loop.seeds:
            loop.result(name, seed)
    if not loop.values:
        raise ValueError(f"{folder} holds no finished run yet")
    return loop.results({})


class _Loop:
    """What is known of a loop's runs, in memory and, where it has one, in its folder."""

    def __init__(
        self, methods: list[str], seeds: list[int], metrics: list[TaskMetric], folder: Path | None, title: str
    ) -> None:
        self.methods, self.seeds, self.metrics, self.folder, self.title = methods, seeds, metrics, folder, title
        self.values: dict[tuple[str, str, int], float] = {}

    def write(self) -> None:
        """Describe the loop in its folder, which holds no other's."""
        if self.folder is None:
            return
        about = {
            "title": self.title,
            "equipoise": version("equipoise"),
            "tasks": [[metric.task, metric.name, metric.higher_is_better] for metric in self.metrics],
            "methods": self.methods,
            "seeds": self.seeds,
        }
        file = self.folder / FILE
        if file.is_file():
            if (earlier := read_json(file))["tasks"] != about["tasks"]:
                raise ValueError(
                    f"{self.folder} holds runs with other tasks ({earlier['tasks']}, now {about['tasks']}): choose "
                    "another folder"
                )
        elif self.folder.is_dir() and any(self.folder.iterdir()):
            raise ValueError(f"{self.folder} holds something else than a loop's runs: choose another folder")
        (self.folder / "runs").mkdir(parents=True, exist_ok=True)
        write_json(file, about)

    def result(self, method: str, seed: int) -> Mapping[str, float] | None:
        """What a finished run returned; None where it is not finished."""
        path = self._path(method, seed, "json")
        if path is None or not path.is_file():
            return None
        kept = read_json(path)
        if (kept.get("method"), kept.get("seed")) != (method, seed):
            raise DamagedError(path, f"is not the run of {method}, seed {seed}")
        returned: Mapping[str, float] = kept["returned"]
        self._take(method, seed, returned)
        return returned

    def keep(self, method: str, seed: int, returned: Any) -> None:
        """Take in what a run returned.

        Raises:
            ValueError: It has not every task's metric, as a number.
        """
        needed = [f"{metric.task}/{metric.name}" for metric in self.metrics]
        if not isinstance(returned, Mapping) or any(key not in returned for key in needed):
            got = list(returned) if isinstance(returned, Mapping) else returned
            raise ValueError(f"train must return a mapping with {', '.join(needed)}, got {str(got)[:200]}")
        try:
            numbers = {str(key): _number(value) for key, value in returned.items()}
        except (TypeError, ValueError) as error:
            raise ValueError(f"train must return numbers, got {str(dict(returned))[:200]}") from error
        self._take(method, seed, numbers)
        if (path := self._path(method, seed, "json")) is not None:
            write_json(path, {"method": method, "seed": seed, "returned": numbers})
            path.with_suffix(".error.txt").unlink(missing_ok=True)

    def keep_error(self, method: str, seed: int, trace: str) -> None:
        """Write why a run failed, in full."""
        if (path := self._path(method, seed, "error.txt")) is not None:
            write_text(path, trace)

    def results(self, failures: Mapping[str, str]) -> Results:
        """Judged."""
        complete = len(self.values) == len(self.methods) * len(self.seeds) * len(self.metrics)
        return Results(
            Summary.from_values(
                self.values, self.metrics, self.methods, self.seeds, title=self.title, complete=complete
            ),
            failures,
        )

    def _take(self, method: str, seed: int, returned: Mapping[str, float]) -> None:
        for metric in self.metrics:
            self.values[method, metric.task, seed] = returned[f"{metric.task}/{metric.name}"]

    def _path(self, method: str, seed: int, ending: str) -> Path | None:
        from equipoise.lab.arms import MethodArm
        from equipoise.lab.studies import Run

        if self.folder is None:
            return None
        return self.folder / "runs" / f"{Run(MethodArm(method), ('all',), seed).folder_name}.{ending}"


def _require(given: Sequence[tuple[str, Any]], seeds: Sequence[int]) -> None:
    names = [name for name, _ in given]
    if not names or not seeds:
        raise ValueError(f"a comparison needs a method and a seed, got methods {names} and seeds {list(seeds)}")
    named: tuple[tuple[str, list[Any]], ...] = (("method", names), ("seed", list(seeds)))
    for what, values in named:
        if twice := [value for value in values if values.count(value) > 1]:
            raise ValueError(f"{what} {twice[0]} is given twice")
    if SINGLE_TASK in names:
        raise ValueError(f"{SINGLE_TASK} is no method of a loop: judge its results together with these by lab.judge")
    for _, method in given:
        if isinstance(method, str):
            eq.method(method)  # what cannot be made fails before anything runs


def _set_seeds(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def _number(value: Any) -> float:
    return float(value.detach() if isinstance(value, torch.Tensor) else value)


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
