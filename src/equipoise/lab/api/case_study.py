"""A comparison on a case from start to end: plan it, tune, train what is missing, judge."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.lab.api.defaults import JOBS, METHODS, RUNS, TUNED_TRIALS
from equipoise.lab.api.given import recipe_of, seeds_of
from equipoise.lab.api.loading import load
from equipoise.lab.api.results import Results, none_finished
from equipoise.lab.arms import SUM, StudyArm
from equipoise.method import Method

if TYPE_CHECKING:
    from equipoise.lab.studies import Plan


def compare_case(
    case: Any,
    methods: Sequence[str | Method | StudyArm] | None,
    seeds: int | Sequence[int],
    *,
    folder: str | Path | None = None,
    jobs: int | None = None,
    question: str = "",
    tuned_trials: int | None = None,
    track: Sequence[str] = (),
    **settings: Any,
) -> Results:
    """Train a case under several methods in worker processes, and judge the results.

    Fixed weights are tuned first, then single-task networks and every method are trained.

    Args:
        case: By name (``"reviews"``), as ``path/to/file.py:make_case``, a ``Case``, or a recipe such as a
            ``TableCase``.
        methods: By name, as ``path/to/file.py:Name``, or as objects whose arguments are their defaults. None:
            the plain sum for the questions ``sharing`` and ``losses``, else six common ones.
        seeds: How many, or which.
        folder: Where runs are kept; finished ones are not run again. None: ``equipoise-runs/CASE``.
        jobs: Processes at a time; None: one per core, at most 4.
        question: The one question asked, as ``equipoise compare --question`` takes it.
        tuned_trials: Fixed weights tried for the method ``tuned``; None: 10 where there are weights to tune.
        track: Trackers that take every run's curves: ``tensorboard``, ``wandb``, ``mlflow``.
        settings: Of the training, by their names in ``equipoise.lab.training.Settings``, such as ``epochs``, and
            ``looks``, how often verdicts are looked at, at equal shares of the seeds.

    Raises:
        ValueError: The case, a method, a seed or a setting cannot be used, or the folder holds something else.
        RuntimeError: No run finished.
    """
    if methods is None:
        methods = (str(SUM),) if question in ("sharing", "losses") else METHODS
    if isinstance(methods, Mapping):
        raise ValueError("methods of a case are names, as worker processes make them: give a list")
    plan = plan_study(
        recipe_of(case), methods, seeds_of(seeds), question=question, tuned_trials=tuned_trials, **settings
    )
    where = RUNS / plan.case.name if folder is None else Path(folder)

    from rich.console import Console

    from equipoise.lab.studies import run_plan

    study = run_plan(plan, where, Console(highlight=False), JOBS if jobs is None else jobs, track)
    if not study.results:
        raise none_finished({str(run): why for run, why in study.failures.items()}, where)
    return load(where)


def plan_study(
    case: Any,
    methods: Sequence[str | Method | StudyArm],
    seeds: Sequence[int],
    *,
    question: str = "",
    tuned_trials: int | None = None,
    **settings: Any,
) -> "Plan":
    """``make_plan``, with tuned fixed weights by default where there are weights to tune.

    Args:
        case: By recipe, or by name.
        methods: By name, as objects or as arms.
        seeds: Each 0 or more.
        question: The one that is asked.
        tuned_trials: None: 10 for a question that tuned weights have a part in.
        settings: The other arguments of ``make_plan``.
    """
    from equipoise.lab.studies import NothingToTuneError, make_plan

    make = partial(make_plan, case, methods, seeds, question=question, **settings)
    usual = TUNED_TRIALS if question in ("", "tuned") else 0
    try:
        return make(tuned_trials=usual if tuned_trials is None else tuned_trials)
    except NothingToTuneError:
        if tuned_trials is not None or question:
            raise
        return make(tuned_trials=0)  # nobody asked for it
