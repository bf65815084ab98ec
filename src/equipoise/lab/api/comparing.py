"""A fair comparison of methods, on a case from start to end, or by a training loop of one's own."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from torch import nn
from typing_extensions import Unpack

from equipoise.lab.api.given import GivenCase, recipe_of, seeds_of, takes_settings
from equipoise.lab.api.loops import Train, compare_loop
from equipoise.lab.api.results import Results, load, none_finished
from equipoise.lab.arms import SUM, GivenMethod, StudyArm
from equipoise.lab.evaluation import Question
from equipoise.lab.files import DamagedError, read_json
from equipoise.lab.settings import JOBS, METHODS, MINUTES, RUNS, SEEDS, TUNED_TRIALS, TrainingOptions
from equipoise.method import Method

if TYPE_CHECKING:
    from equipoise.lab.studies import Plan, TimeLimit
    from equipoise.lab.training.executors import Executor


@takes_settings
def compare(
    case: GivenCase | Train,
    methods: Sequence[GivenMethod] | Mapping[str, GivenMethod] | None = None,
    seeds: int | Sequence[int] | None = None,
    *,
    folder: str | Path | None = None,
    tasks: Mapping[str, tuple[str, str]] | None = None,
    title: str = "",
    jobs: int | None = None,
    executor: "str | Executor | None" = None,
    question: Question | str = "",
    tuned_trials: int | None = None,
    looks: int = 0,
    single_task: int | None = None,
    minutes: float | None = None,
    track: Sequence[str] = (),
    sklearn: bool = True,
    epochs: int | None = None,
    **settings: Unpack[TrainingOptions],
) -> Results:
    """Train under several methods with the same seeds, and judge the results.

    A case is trained in worker processes, so a script calls this below ``if __name__ ==
    "__main__":``; a function ``train(arm, seed)`` is called in this process. Where the folder holds
    finished runs, only what is missing is run. A run that fails does not end the comparison: see ``Results.failures``;
    the next call tries it again.

    Args:
        case: A case by name (``"reviews"``), as ``path/to/file.py:make_case``, a ``Case``, or a recipe such as a
            ``TableCase``. Or ``train(arm, seed) -> {"task/metric": value}``, a loop of one's own that makes its
            balancer by ``arm.balancer(model, tasks)`` and returns test metrics.
        methods: By name, as ``path/to/file.py:Name``, or as objects; for a loop also {name: method}. None: the plain
            sum for the questions ``sharing`` and ``losses``, else six common ones.
        seeds: How many, or which; None: 5.
        folder: Where runs are kept; those of a loop whose code has changed are refused. None: ``equipoise-runs/CASE``;
            for a loop: nothing is kept.
        tasks: Of a loop, by task, the metric that is judged and whether "higher" or "lower" is better.
        title: Of a loop's results; empty: the name of the function.
        jobs: Of a case, as all that follows: runs at a time; None: one per core, at most 4.
        executor: What does the runs: ``ray`` or ``ray=ADDRESS``, a cluster, or any object with ``submit`` such as an
            executor of ``concurrent.futures``; None: processes of this machine.
        question: The one question asked, as ``equipoise compare --question`` takes it.
        tuned_trials: Fixed weights tried for the method ``tuned``; None: 10 for 2 to 20 tasks.
        looks: How often verdicts are looked at, at equal shares of the seeds; 0: once, after all.
        single_task: How many tasks have a single-task network, spread evenly, and Δm is of; None: all of up to 20, of
            more none.
        track: Trackers that take every run's curves: ``tensorboard``, ``wandb``, ``mlflow``.
        minutes: Train only as much as fits into them from the beginning of the study, by a short timing: at least 3
            of the seeds, and of what is not named (methods, tuned weights, single-task networks) the cheapest, at least
            the plain sum and one method. None: 5 where neither methods, seeds, a question nor looks are named, else
            ``math.inf``, which is all of it and resumes a study of fewer minutes.
        sklearn: Whether to train a linear model and gradient boosting of scikit-learn for comparison, where it is
            installed and the case has ``features``.
        epochs: At most so many per run; None: the case's own.
        settings: Of the training, by their names in ``equipoise.lab.training.Settings``.

    Raises:
        ValueError: A case, a method, a seed or an option cannot be used, or the folder holds something else.
        TypeError: There is no such option.
        RuntimeError: No run finished.
    """
    if isinstance(methods, str | Method | StudyArm):
        raise ValueError(f"methods must be a list, such as ['sum', 'uw'], got {methods!r}")
    of_case: dict[str, Any] = {"jobs": jobs, "executor": executor, "question": question, "looks": looks}
    of_case |= {"tuned_trials": tuned_trials, "single_task": single_task, "minutes": minutes}
    of_case |= {"track": track or (), "sklearn": sklearn, "epochs": epochs}
    if tasks is not None or (callable(case) and not hasattr(case, "options") and not isinstance(case, nn.Module)):
        defaults = signature(compare).parameters
        if given := [*(name for name, value in of_case.items() if value != defaults[name].default), *settings]:
            raise ValueError(f"{given[0]} is an option of a case, and a loop of one's own has none of it: leave it out")
        train = cast(Train, case)
        return compare_loop(
            train,
            METHODS if methods is None else methods,
            SEEDS if seeds is None else seeds,
            tasks=tasks,
            folder=folder,
            title=title,
        )
    if title:
        raise ValueError(f"title belongs to a loop of one's own, and a case has its own: leave out {title!r}")
    return _compare_case(case, methods, seeds, folder, **of_case, **settings)


def _compare_case(
    case: Any,
    methods: Sequence[GivenMethod] | Mapping[str, GivenMethod] | None,
    seeds: int | Sequence[int] | None,
    folder: str | Path | None,
    *,
    jobs: int | None,
    executor: "str | Executor | None",
    question: str,
    tuned_trials: int | None,
    track: Sequence[str],
    minutes: float | None,
    **settings: Any,
) -> Results:
    """Tune fixed weights, then train single-task networks and every method in worker processes, and judge."""
    limit = _limit(minutes, methods, seeds, question, tuned_trials, settings["single_task"], settings["looks"])
    if methods is None:
        methods = (str(SUM),) if question in ("sharing", "losses") else METHODS
    if isinstance(methods, Mapping):
        raise ValueError("methods of a case are names, as worker processes make them: give a list")
    seeds = seeds_of(SEEDS if seeds is None else seeds)
    plan = plan_study(recipe_of(case), methods, seeds, question=question, tuned_trials=tuned_trials, **settings)
    where = _default_folder(plan) if folder is None else Path(folder)

    from rich.console import Console

    from equipoise.lab.studies import run_plan
    from equipoise.lab.training.executors import executing

    with executing(executor, where) as execute:
        study = run_plan(plan, where, Console(highlight=False), JOBS if jobs is None else jobs, track, limit, execute)
    if not study.results:
        raise none_finished({str(run): why for run, why in study.failures.items()}, where)
    return load(where)


def _limit(
    minutes: float | None,
    methods: Any,
    seeds: Any,
    question: str,
    tuned_trials: int | None,
    single_task: int | None,
    looks: int,
) -> "TimeLimit | None":
    """What limits a study: what a question asks for, or the user has named, is all of it."""
    from equipoise.lab.studies import TimeLimit

    if minutes is None:
        minutes = MINUTES if methods is None and seeds is None and not question and not looks else math.inf
    if not isinstance(minutes, int | float) or not minutes > 0:
        raise ValueError(f"minutes must be a positive number, got {minutes!r}")
    if looks and minutes < math.inf:
        raise ValueError("minutes cannot limit a study with looks, whose seeds are planned: leave one out")
    if minutes == math.inf:
        return None
    return TimeLimit(
        minutes,
        methods=methods is None and not question,
        tuned=tuned_trials is None and not question,
        single_task=single_task is None and not question,
    )


def _default_folder(plan: "Plan") -> Path:
    """By the case's name, or that of the same table under another name, if a study of it is there."""
    own = RUNS / plan.case.name
    for path in [] if own.exists() else sorted(RUNS.glob("*/study.json")):
        with suppress(DamagedError):  # of another study
            earlier = read_json(path, checksum_required=False)
            now = plan.renamed(earlier)
            if now is not plan and all(now.identity[key] == earlier[key] for key in ("tasks", "options")):
                return path.parent
    return own


def plan_study(
    case: Any,
    methods: Sequence[GivenMethod],
    seeds: Sequence[int],
    *,
    question: str = "",
    tuned_trials: int | None = None,
    **settings: Any,
) -> "Plan":
    """``make_plan``, with tuned fixed weights by default for a question that they have a part in.

    Args:
        case: By recipe, or by name.
        methods: By name, as objects or as arms.
        seeds: Each 0 or more.
        question: The one that is asked.
        tuned_trials: None: as ``make_plan`` has it, for the question ``tuned`` 10.
        settings: The other arguments of ``make_plan``.
    """
    from equipoise.lab.studies import make_plan

    if tuned_trials is None and question:
        tuned_trials = TUNED_TRIALS if question == "tuned" else 0
    return make_plan(case, methods, seeds, question=question, tuned_trials=tuned_trials, **settings)
