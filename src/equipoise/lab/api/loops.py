"""A comparison by a training loop of one's own: the same seeds for every method, a failure listed and not the end."""

import copy
import dis
import hashlib
import inspect
import random
import re
import shutil
import sys
import tempfile
import traceback
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import CellType, CodeType
from typing import Any, TypedDict

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import Unpack

import equipoise as eq
from equipoise.balancer.config import Heads, Monitoring, RouteName, Scale
from equipoise.lab.api.given import seeds_of
from equipoise.lab.api.judging import direction
from equipoise.lab.api.loop_runs import LoopRuns
from equipoise.lab.api.recorder import Recorder
from equipoise.lab.api.results import Results, none_finished
from equipoise.lab.arms import GivenMethod, MethodArm, StudyArm, name_of
from equipoise.lab.evaluation import REFERENCE, SINGLE_TASK, StudyResults, Summary, TaskMetric
from equipoise.lab.studies import record_look
from equipoise.lab.training.checkpoint import generators_kept
from equipoise.own_file import error_line


class BalancerOptions(TypedDict, total=False):
    """The options of ``eq.Balancer``, as keywords."""

    heads: Heads
    scale: Scale
    gramian_from: nn.Module | Iterable[Tensor] | None
    route: RouteName
    probe_every: int
    ranks: Any
    monitor: Monitoring


@dataclass(eq=False)
class Arm:
    """A method with one seed; nothing in it has seen another run.

    Args:
        name: Of the method, as the results show it.
        seed: Of the run; those of ``random``, numpy and torch are set to it already.
        method: Made for this run.
    """

    name: str
    seed: int
    method: eq.Method = field(repr=False)
    recorded: Recorder | None = field(default=None, init=False, repr=False)  # what ``recorder`` made

    def balancer(
        self,
        model: nn.Module | Iterable[Tensor],
        tasks: eq.Tasks | Iterable[str] | Mapping[str, float],
        **options: Unpack[BalancerOptions],
    ) -> eq.Balancer:
        """The balancer of this run's model; arguments as of ``eq.Balancer``."""
        return eq.Balancer(self.method, model, tasks=tasks, **options)

    def recorder(self, tasks: eq.Tasks | Iterable[eq.Task] | Iterable[str], epochs: int | None = None) -> Recorder:
        """The recorder of this run, whose history the comparison keeps; arguments as of ``Recorder``.

        Raises:
            ValueError: The run has one already.
        """
        if self.recorded is not None:
            raise ValueError(f"{self.name}, seed {self.seed} has a recorder already: call arm.recorder once")
        self.recorded = Recorder(tasks, epochs=epochs, title=f"{self.name}, seed {self.seed}")
        return self.recorded


Train = Callable[[Arm, int], Mapping[str, Any]]
LARGEST_SEED = 2**32 - 1  # numpy's


def compare_loop(
    train: Train,
    methods: Sequence[GivenMethod] | Mapping[str, GivenMethod],
    seeds: int | Sequence[int],
    *,
    tasks: Mapping[str, tuple[str, str]] | None = None,
    folder: str | Path | None = None,
    title: str = "",
) -> Results:
    """Call ``train`` for every method and seed in this process, and judge what it returns.

    The states of ``random``, numpy and torch are restored afterwards.

    Args:
        train: ``train(arm, seed) -> {"task/metric": value}``, test metrics. It makes its balancer by
            ``arm.balancer(model, tasks)``, and if it likes its recorder by ``arm.recorder(tasks)``.
        methods: By name, as ``path/to/file.py:Name`` or as objects; or {name: method}.
        seeds: How many, or which.
        tasks: By task, the metric that is judged and whether "higher" or "lower" is better.
        folder: Where runs are kept, as a study's are; finished ones are not run again, and those of another function,
            or of this one before its code, or a number or string that it holds, was changed, are refused; a change in
            what it calls or a global that it reads is not noticed. None: nowhere.
        title: Of the results; empty: the name of ``train``.

    Raises:
        ValueError: A method, a seed or the tasks cannot be used, or the folder holds something else.
        RuntimeError: No run finished.
    """
    if not callable(train):
        raise ValueError(f"tasks belong to a loop of one's own, train(arm, seed), got {train!r}: a case has its own")
    metrics = _metrics(tasks)
    pairs = methods.items() if isinstance(methods, Mapping) else [(name_of(_plain(each)), each) for each in methods]
    given = {name: _plain(each) for name, each in pairs}
    chosen = seeds_of(seeds)
    _require([name for name, _ in pairs], given, chosen)
    made = {name: _described(each) for name, each in given.items()}
    where = Path(tempfile.mkdtemp(prefix="equipoise-")) if folder is None else Path(folder)
    try:
        code = code_of(train)
        runs = LoopRuns(made, chosen, metrics, where, title or code["name"], code)
        with generators_kept():
            _run(train, given, runs, None if folder is None else where)
        study = StudyResults.from_folder(where).looked_at()
        results = Results(Summary.of_study(study), runs.failures, study, temporary=folder is None)
    except BaseException:
        if folder is None:
            shutil.rmtree(where, ignore_errors=True)
        raise
    if folder is None:
        weakref.finalize(results, shutil.rmtree, where, ignore_errors=True)
    else:
        record_look(study)
    return results


def _metrics(tasks: Mapping[str, tuple[str, str]] | None) -> list[TaskMetric]:
    if not tasks:
        raise ValueError(
            "a loop of one's own needs tasks, the metric of each and its direction, such as "
            "tasks={'rating': ('rmse', 'lower')}"
        )
    pairs: list[Any] = list(tasks.values()) if isinstance(tasks, Mapping) else [None]
    if any(isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2 for pair in pairs):
        raise ValueError(
            "tasks must be a mapping from task to its metric and direction, such as {'rating': ('rmse', 'lower')}, got "
            f"{tasks!r}"
        )
    return [TaskMetric(task, name, direction(way, f"tasks: {task!r}")) for task, (name, way) in tasks.items()]


def _run(train: Train, given: Mapping[str, str | eq.Method], runs: LoopRuns, folder: Path | None) -> None:
    """Do what is missing, with a progress bar; ``folder`` is where the runs stay, None: nowhere."""
    from rich.console import Console
    from rich.progress import track

    first: Exception | None = None
    console = Console()
    shown = console.is_terminal or console.is_jupyter
    for name, seed in track(runs.missing, runs.title, console=console, transient=True, disable=not shown):
        method = given[name]
        arm = Arm(name, seed, eq.method(method) if isinstance(method, str) else copy.deepcopy(method))
        _set_seeds(seed)
        try:
            returned = train(arm, seed)
        except Exception as error:  # whatever a user's loop does, it costs this run only
            first = first or error
            runs.keep_error(name, seed, error_line(error), traceback.format_exc())
        else:
            try:
                runs.keep(name, seed, returned, arm.recorded)
            except ValueError as error:
                if not runs.has_finished:
                    raise  # nothing is lost yet
                runs.keep_error(name, seed, error_line(error), traceback.format_exc())
    if not runs.has_finished and first is not None:
        raise none_finished(runs.failures, folder) from first


def _plain(given: GivenMethod) -> str | eq.Method:
    if isinstance(given, MethodArm):
        return given.given or given.name
    if isinstance(given, StudyArm):
        raise ValueError(f"{given} is no method that a loop of one's own can train: only a study of a case makes it")
    return given


def _require(names: Sequence[str], given: Mapping[str, str | eq.Method], seeds: Sequence[int]) -> None:
    if not names:
        raise ValueError("methods must be at least one, got none")
    named: tuple[tuple[str, list[Any]], ...] = (("method", list(names)), ("seed", list(seeds)))
    for what, values in named:
        if twice := [value for value in values if values.count(value) > 1]:
            raise ValueError(f"{what} {twice[0]} is given twice")
    if beyond := [seed for seed in seeds if not 0 <= seed <= LARGEST_SEED]:
        raise ValueError(f"seeds must be from 0 to {LARGEST_SEED}, got {beyond[0]}")
    if SINGLE_TASK in names:
        raise ValueError(f"{SINGLE_TASK} is no method of a loop: judge its results together with these by lab.judge")
    if REFERENCE not in names:
        raise ValueError(f"methods lacks {REFERENCE!r}, which the others are compared with, got {', '.join(names)}")
    for method in given.values():
        if isinstance(method, str):
            eq.method(method)  # what cannot be made fails before anything runs


def _described(method: str | eq.Method) -> str:
    """What a method is, with its arguments; the address of an object is none of it."""
    return _without_addresses(repr(eq.method(method) if isinstance(method, str) else method))


def code_of(train: Train) -> dict[str, str]:
    """A function's name, Python's version, and by that version a checksum of its code and of the values that it holds.

    The code is the instructions: comments, docstrings and its place in the file do not count, nor what it calls and
    reads. The values are those of defaults, ``partial``, closure and attributes, but for what it assigns itself.
    """
    function: Any = inspect.unwrap(train)
    held: list[Any] = []
    while isinstance(function, partial):
        held += [function.args, *sorted(function.keywords.items())]
        function = inspect.unwrap(function.func)
    called = function if hasattr(function, "__code__") else type(function).__call__
    code = getattr(called, "__code__", None)
    held += [getattr(called, "__defaults__", None), *sorted((getattr(called, "__kwdefaults__", None) or {}).items())]
    cells = zip(getattr(code, "co_freevars", ()), getattr(called, "__closure__", None) or (), strict=False)
    named = {name: cell.cell_contents for name, cell in cells if cell != CellType()}  # an empty cell has none
    codes = [code]
    if not inspect.isfunction(function):
        owner = getattr(function, "__self__", function)
        named |= getattr(owner, "__dict__", {})
        methods = [each for kind in type(owner).__mro__ for name, each in vars(kind).items() if name != "__init__"]
        codes += [getattr(each, "__code__", None) for each in methods]
    assigned: set[str] = set().union(*map(_assigned, codes))
    held += sorted((name, _text(value)) for name, value in named.items() if name not in assigned)
    return {
        "name": getattr(function, "__name__", type(function).__name__),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "checksum": hashlib.sha256(f"{_text(code)} {_text(tuple(held))}".encode()).hexdigest()[:12],
    }


def _text(value: Any) -> str:
    """An immutable value, sets in an order, or what bytecode does; of anything else the type."""
    if isinstance(value, CodeType):
        parts = [(each.opname, _text(each.argval), _argument(each)) for each in dis.get_instructions(value)]
        return repr(
            (
                value.co_varnames,
                value.co_argcount,
                value.co_kwonlyargcount,
                getattr(value, "co_exceptiontable", b""),
                parts,
            )
        )
    if isinstance(value, tuple | frozenset):
        texts = [*map(_text, value)]
        return f"{type(value).__name__}{sorted(texts) if isinstance(value, frozenset) else texts}"
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return repr(value)
    return type(value).__qualname__


def _argument(instruction: dis.Instruction) -> str:
    return "" if instruction.opcode in dis.hasconst else instruction.argrepr


def _assigned(code: Any) -> set[str]:
    """The names of the enclosing function and the attributes that bytecode assigns, as a counter of its calls."""
    if not isinstance(code, CodeType):
        return set()
    own = {each.argval for each in dis.get_instructions(code) if each.opname in ("STORE_DEREF", "STORE_ATTR")}
    return own.union(*map(_assigned, code.co_consts))


def _without_addresses(text: str) -> str:
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)


def _set_seeds(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
