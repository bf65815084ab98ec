"""A search on a case, from the words of the command line to a folder that can be gone on with."""

import ast
import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from equipoise.lab.arms import MethodArm, make_arm
from equipoise.lab.cases import Case
from equipoise.lab.cases.recipe import Recipe, case_options, find_recipe
from equipoise.lab.files import differences, make_folder, read_json, write_json
from equipoise.lab.search.axes import axis
from equipoise.lab.search.search import Search
from equipoise.lab.search.space import Space
from equipoise.lab.search.strategies import TPE, Grid, Halving, Population, Random
from equipoise.lab.search.training import CaseTraining, objectives
from equipoise.lab.search.trial import Objective, Strategy
from equipoise.lab.training.loop import case_settings
from equipoise.names import nearest

OURS = ("search.json", "trials", "drivers", "report.html", "figures")  # how names begin that a search makes
SamplerName = Literal["tpe", "grid", "random", "front", "halving", "population"]
SAMPLERS = get_args(SamplerName)


@dataclass(frozen=True)
class Tuning:
    """A search of a case, and what its workers do."""

    case: Case
    search: Search
    evaluate: CaseTraining

    @property
    def method(self) -> str:
        """The name of the method."""
        return self.evaluate.method


def make_tuning(
    case: str | Recipe,
    method: str,
    words: Iterable[str],
    sampler: str,
    trials: int,
    folder: Path,
    *,
    epochs: int | None = None,
    seed: int = 0,
    jobs: int = 1,
    storage: str | None = None,
    stale_after: float | None = None,
    **training: Any,
) -> Tuning:
    """The search of a case.

    Args:
        case: Its recipe, or as ``find_recipe`` takes it.
        method: As ``eq.method`` takes it.
        words: ``weights``, ``lr``, ``wd``, and arguments of the method or of losses as ``axis`` reads them.
        sampler: One of ``SAMPLERS``; ``front`` is TPE for several objectives.
        trials: How many points; for a population how many members.
        folder: Of the search.
        epochs: Of a whole training; None: the case's own.
        seed: Of the search and of every training.
        jobs: How many trainings at the same time, for the threads of each.
        storage: See ``Search``.
        stale_after: See ``Search``.
        training: Other settings that are not the case's own, by their names in ``Settings``.

    Raises:
        ValueError: An unknown name, an argument out of range, or a folder with another search.
    """
    recipe = find_recipe(case) if isinstance(case, str) else case
    if sampler not in SAMPLERS:
        raise ValueError(f"unknown sampler {sampler!r}; {nearest(sampler, SAMPLERS)}")
    ready, words = recipe(), list(words)
    method = _searchable(method, "weights" in words)
    space = Space(
        tuple(ready.tasks.names) if "weights" in words else (),
        tuple(axis(word, ready, method) for word in words if word != "weights"),
    )
    measured = objectives(ready)
    strategy = _strategy(sampler, space, measured, trials, seed, max(4, jobs))
    settings = case_settings(ready, epochs=epochs, **training)
    if sampler in ("halving", "population"):  # compared at equal steps: none may stop early
        if training.get("patience") is not None or settings.task_patience is not None:
            raise ValueError(f"{sampler} compares trials after equal steps: leave patience and task_patience out")
        settings = replace(settings, patience=settings.epochs)
    identity = {
        "equipoise": version("equipoise"),
        "case": ready.name,
        "case_options": case_options(recipe, ready),
        "data_hash": ready.data_hash,
        "method": method,
        "settings": dict(settings.described),
        "seed": seed,
        "objectives": [f"{objective.task} {objective.metric}" for objective in measured],
        "strategy": repr(strategy),
    }
    identity = under_earlier_names(identity, _earlier(folder))
    mark = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]
    threads = _keep(folder, identity, max(1, torch.get_num_threads() // jobs))
    search = Search(
        strategy,
        measured,
        folder,
        storage=storage,
        name=f"{identity['case']}-{method}",
        stale_after=stale_after,
        identity=mark,
    )
    return Tuning(ready, search, CaseTraining(recipe, method, space, settings, seed, folder, threads))


def under_earlier_names(identity: dict[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """The identity of a search, with the names of the search.json ``earlier`` if its file has the same content."""
    then, now = earlier.get("case_options", {}).get("file"), identity["case_options"]
    if then is None or "file" not in now or earlier.get("data_hash") != identity["data_hash"]:
        return identity
    return {**identity, "case": earlier["case"], "case_options": {**now, "file": then}}


def _earlier(folder: Path) -> Mapping[str, Any]:
    """The search.json of a folder; nothing where there is none."""
    path = folder / "search.json"
    return read_json(path) if path.is_file() else {}


def _strategy(
    sampler: str, space: Space, measured: tuple[Objective, ...], trials: int, seed: int, lag: int
) -> Strategy:
    if sampler == "grid":
        return Grid(space, trials)
    if sampler == "random":
        return Random(space, trials, seed)
    if sampler == "halving":
        return Halving(space, measured, trials, seed)
    if sampler == "population":
        return Population(space, measured, trials, seed=seed)
    return TPE(space, measured, trials, seed, front=sampler == "front", lag=lag)


def _searchable(name: str, weighted: bool) -> str:
    """The method's name in full."""
    arm = make_arm(name)
    if not isinstance(arm, MethodArm):
        raise ValueError(f"{arm} is no method whose weights or arguments can be searched: give a method's name")
    if arm.name != "fixed":
        arm.require_trainable()
        if weighted and arm.make().user_weight == "ignored":
            raise ValueError(f"{arm} does not depend on the tasks' weights: leave weights out of the search")
    return arm.name


def _keep(folder: Path, identity: dict[str, Any], threads: int) -> int:
    """Write search.json, or see that the one there is of the same search; the number of threads it began with."""
    strangers = [e for e in folder.iterdir() if not e.name.startswith(OURS)] if folder.is_dir() else []
    if earlier := _earlier(folder):
        then: dict[str, Any] = {key: earlier.get(key) for key in identity}
        if found := differences(*({**each, "strategy": _by_field(each["strategy"])} for each in (then, identity))):
            raise ValueError(f"{folder} holds another search ({'; '.join(found)}): choose another folder")
        return int(earlier["threads"])
    if strangers:
        raise ValueError(f"{folder} holds something else than a search: choose another folder")
    versions = {"python": platform.python_version(), **{n: version(n) for n in ("torch", "numpy", "optuna")}}
    make_folder(folder)
    write_json(folder / "search.json", {**identity, "threads": threads, "versions": versions})
    return threads


def _by_field(text: str) -> dict[str | None, str]:
    """What the ``repr`` of a strategy says, by field."""
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call)
    return {"sampler": ast.unparse(call.func), **{each.arg: ast.unparse(each.value) for each in call.keywords}}
