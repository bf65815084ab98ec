"""Which runs a study consists of, and what makes two studies the same experiment."""

import hashlib
import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import equipoise as eq
from equipoise.lab.cases import Case
from equipoise.lab.evaluation import SINGLE_TASK
from equipoise.lab.studies.recipe import Recipe, find_recipe
from equipoise.lab.training import Settings
from equipoise.lab.training.order import make_order
from equipoise.lab.training.selection import kept_criteria


@dataclass(frozen=True)
class Run:
    """One training: a method on some of the case's tasks with a seed."""

    method: str  # as ``eq.method`` takes it, or "single-task"
    tasks: tuple[str, ...]
    seed: int

    @property
    def task(self) -> str:
        """The task of a single-task run, else "all"."""
        return self.tasks[0] if self.method == SINGLE_TASK else "all"

    @property
    def folder_name(self) -> str:
        """``<method>-<task>-seed<k>``, where a name is no name of a file with a mark of the whole name."""
        return f"{_file_name(self.method)}-{_file_name(self.task)}-seed{self.seed}"

    def __str__(self) -> str:
        what = f"{self.method} {self.task}" if self.method == SINGLE_TASK else self.method
        return f"{what}, seed {self.seed}"


def _file_name(name: str) -> str:
    plain = re.sub(r"[^\w-]+", "-", name)[:60]
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Plan:
    """A study before it runs: the balancings, and one network per task, each with every seed."""

    recipe: Recipe  # of the case
    case: Case
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    settings: Settings

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs, seed by seed, so that an interrupted study holds whole comparisons."""
        names = tuple(self.case.tasks.names)
        return tuple(
            run
            for seed in self.seeds
            for run in (
                *(Run(SINGLE_TASK, (name,), seed) for name in names),
                *(Run(method, names, seed) for method in self.methods),
            )
        )

    @property
    def identity(self) -> dict[str, Any]:
        """What must agree for runs to stand in one table: everything but methods and seeds."""
        return {
            "equipoise": version("equipoise"),
            "case": self.case.name,
            "data_hash": self.case.data_hash,
            "settings": dict(self.settings.described),
            "tasks": {task.name: {"loss": repr(task.loss), "weight": task.weight} for task in self.case.tasks},
            **({"options": options} if (options := dict(self.recipe.options)) else {}),
        }

    @property
    def budgets(self) -> dict[str, dict[str, int]]:
        """What each method may use: epochs, batch size, and how many settings were tried to choose its own."""
        allowed = {"epochs": self.settings.epochs, "batch_size": self.settings.batch_size, "trials": 1}
        return {method: dict(allowed) for method in (SINGLE_TASK, *self.methods)}

    def describe(self) -> dict[str, Any]:
        """The content of study.json that is known before anything runs."""
        return {
            **self.identity,
            "title": self.case.title,
            "methods": list(self.methods),
            "method_files": method_files(self.methods),
            "seeds": list(self.seeds),
            "budgets": self.budgets,
            "metrics": {
                task: [
                    {
                        "name": metric.name,
                        "higher_is_better": metric.higher_is_better,
                        "perfect": metric.perfect,
                        "trivial": metric.trivial,
                    }
                    for metric in metrics
                ]
                for task, metrics in self.case.metrics.items()
            },
            "versions": {
                "python": platform.python_version(),
                **{n: version(n) for n in ("torch", "numpy", "accelerate")},
            },
            "split_sizes": {name: len(split) for name, split in self.case.splits.items()},  # type: ignore[arg-type]
        }


def make_plan(
    case: str | Recipe, methods: Iterable[str], seeds: Iterable[int], *, epochs: int | None = None, **training: Any
) -> Plan:
    """The study of a case.

    Args:
        case: By recipe or as ``find_recipe`` takes it.
        methods: As ``eq.method`` takes them.
        seeds: Each 0 or more.
        epochs: At most; None: the case's own.
        training: Other settings that are not the case's own, by their names in ``Settings``.

    Raises:
        ValueError: an unknown case or method (the message names the nearest), a repetition, an
            argument out of range, nothing to run.
    """
    methods, seeds = tuple(methods), tuple(seeds)
    recipe = find_recipe(case) if isinstance(case, str) else case
    if not methods or not seeds:
        raise ValueError(f"a study needs a method and a seed, got methods {methods} and seeds {seeds}")
    for what, values in (("method", methods), ("seed", seeds)):
        for value in values:
            if values.count(value) > 1:
                raise ValueError(f"{what} {value} is named twice")
    for method in methods:
        if method == SINGLE_TASK:
            raise ValueError(f"{SINGLE_TASK} is part of every study: leave it out of the methods")
        require_method(method)
    if min(seeds) < 0:
        raise ValueError(f"seeds must not be negative, got {min(seeds)}")
    ready = recipe()
    return Plan(recipe, ready, methods, seeds, case_settings(ready, epochs=epochs, **training))


def case_settings(case: Case, *, epochs: int | None = None, **training: Any) -> Settings:
    """The settings of a case, but for those that are given.

    Raises:
        ValueError: If one is out of its range, or names a task or metric that the case has not.
    """
    own = {
        "epochs": case.epochs if epochs is None else epochs,
        "batch_size": case.batch_size,
        "learning_rate": case.learning_rate,
        "weight_decay": case.weight_decay,
        "clip_norm": None,
        "patience": case.patience,
    }
    settings = Settings(**{**own, **training})
    kept_criteria(settings, case.tasks.names, case.metrics)
    make_order(case.splits["train"], 0, settings.temperature)  # type: ignore[arg-type]
    return settings


def require_method(method: str) -> None:
    """Raise a ValueError for a method that cannot be made or trained here."""
    try:
        made = eq.method(method)
    except ValueError:
        raise
    except Exception as error:  # whatever a user's file does
        line = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"method {method!r} cannot be made: {line}") from error
    if any(getattr(part, "returns_update", False) for part in made.modules()):
        raise ValueError(
            f"method {method!r} returns an update, for SGD, and a study trains with AdamW, which would scale it again: "
            "compare it in a loop of your own"
        )


def method_files(methods: Iterable[str]) -> dict[str, str]:
    """SHA-256 of the source behind each method given as ``path/to/file.py:Name``."""
    paths = {method: Path(method.rpartition(":")[0]) for method in methods if ".py:" in method}
    return {method: hashlib.sha256(path.read_bytes()).hexdigest() for method, path in paths.items()}


def differences(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Where two nested mappings differ, as ``settings.epochs is 8, now 3``.

    >>> differences({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3}})
    ['b.c is 2, now 3']
    """
    found = []
    for key in dict.fromkeys((*earlier, *now)):
        old, new = earlier.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += [f"{key}.{line}" for line in differences(old, new)]
        elif old != new:
            found.append(f"{key} is {old}, now {new}")
    return found
