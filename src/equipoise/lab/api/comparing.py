"""A fair comparison from start to end: plan it, tune, train what is missing, judge."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.lab.api.defaults import JOBS, METHODS, RUNS, SEEDS, TUNED_TRIALS
from equipoise.lab.api.given import recipe_of
from equipoise.lab.api.loading import load
from equipoise.lab.api.loops import compare_loop
from equipoise.lab.api.results import Results
from equipoise.lab.arms import SUM, MethodArm, StudyArm
from equipoise.method import Method

if TYPE_CHECKING:
    from equipoise.lab.studies import Plan


def compare(
    case: Any,
    methods: Sequence[str | Method | StudyArm] | Mapping[str, str | Method] | None = None,
    seeds: int | Sequence[int] = SEEDS,
    *,
    folder: str | Path | None = None,
    jobs: int | None = None,
    tasks: Mapping[str, tuple[str, str]] | None = None,
    question: str = "",
    tuned_trials: int | None = None,
    track: Sequence[str] = (),
    **settings: Any,
) -> Results:
    """Train a case under several methods with the same seeds, or a loop of one's own, and judge the results.

    A case is trained in worker processes, so a script calls this below ``if __name__ == "__main__":``. Fixed weights
    are tuned first, then single-task networks and every method are trained. A loop of one's own is called in this
    process. Where the folder holds finished runs, only what is missing is run. A run that fails does not end the
    comparison: see ``Results.failures``; the next call tries it again.

    Args:
        case: A case: by name (``"reviews"``), as ``path/to/file.py:make_case``, a ``Case``, or a recipe such as a
            ``TableCase``. Or ``train(arm, seed) -> {"task/metric": value}``, a loop of one's own that makes its
            balancer by ``arm.balancer(model, tasks)`` and returns test metrics.
        methods: By name, as ``path/to/file.py:Name``, or as objects; for a loop also {name: method}. None: the plain
            sum for the questions ``sharing`` and ``losses``, else six common ones.
        seeds: How many, or which.
        folder: Where runs are kept. None: ``equipoise-runs/CASE``; for a loop: nothing is kept.
        jobs: Processes at a time; None: one per core, at most 4. Only for a case.
        tasks: Of a loop: by task, the metric that is judged and whether "higher" or "lower" is better.
        question: The one question asked, as ``equipoise compare --question`` takes it. Only for a case.
        tuned_trials: Fixed weights tried for the method ``tuned``; None: 10 where there are weights to tune. Only for a
            case.
        track: Trackers that take every run's curves: ``tensorboard``, ``wandb``, ``mlflow``. Only for a case.
        settings: Of the training, by their names in ``equipoise.lab.training.Settings``, such as ``epochs``, and
            ``looks``, how often verdicts are looked at, at equal shares of the seeds; for a loop a ``title`` alone.

    Raises:
        ValueError: A case, a method, a seed or a setting cannot be used, or the folder holds something else.
        RuntimeError: No run finished.
    """
    if methods is None:
        methods = (str(SUM),) if question in ("sharing", "losses") else METHODS
    chosen = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    if tasks is not None or (callable(case) and not hasattr(case, "options")):
        unused = {"jobs": jobs, "question": question, "tuned_trials": tuned_trials, "track": track}
        return _loop(case, methods, chosen, tasks, folder, {k: v for k, v in unused.items() if v} | settings)
    if isinstance(methods, Mapping):
        raise ValueError("methods of a case are names, as worker processes make them: give a list")
    plan = plan_study(
        recipe_of(case),
        methods,
        chosen,
        question=question,
        tuned_trials=tuned_trials,
        **settings,
    )
    where = RUNS / plan.case.name if folder is None else Path(folder)

    from rich.console import Console

    from equipoise.lab.studies import run_plan

    study = run_plan(plan, where, Console(highlight=False), JOBS if jobs is None else jobs, track)
    if not study.results:
        run, why = next(iter(study.failures.items()))
        raise RuntimeError(f"no run of {where} finished; {run} failed: {why}")
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
    """``make_plan``, with tuned fixed weights where nobody said whether to tune and there are weights to tune.

    Args:
        case: By recipe, or by name.
        methods: By name, as objects or as arms.
        seeds: Each 0 or more.
        question: The one that is asked.
        tuned_trials: None: 10 for a question that tuned weights have a part in.
        settings: The other arguments of ``make_plan``.
    """
    from equipoise.lab.studies import NothingToTune, make_plan

    make = partial(make_plan, case, methods, seeds, question=question, **settings)
    usual = TUNED_TRIALS if question in ("", "tuned") else 0
    try:
        return make(tuned_trials=usual if tuned_trials is None else tuned_trials)
    except NothingToTune:
        if tuned_trials is not None or question:
            raise
        return make(tuned_trials=0)  # nobody asked for it


def _loop(
    train: Callable[..., Any],
    methods: Sequence[str | Method | StudyArm] | Mapping[str, str | Method],
    seeds: Sequence[int],
    tasks: Mapping[str, tuple[str, str]] | None,
    folder: str | Path | None,
    options: dict[str, Any],
) -> Results:
    if not callable(train):
        raise ValueError(f"tasks belong to a loop of one's own, train(arm, seed), got {train!r}: a case has its own")
    if not tasks:
        raise ValueError(
            "a loop of one's own needs tasks, the metric of each and its direction, such as "
            "tasks={'rating': ('rmse', 'lower')}"
        )
    title = options.pop("title", getattr(train, "__name__", "A loop"))
    if options:
        raise ValueError(f"{', '.join(options)}: a loop of one's own takes a title alone, and sets all else itself")
    given = methods if isinstance(methods, Mapping) else [_for_loop(each) for each in methods]
    return compare_loop(train, given, seeds, tasks, None if folder is None else Path(folder), title)


def _for_loop(given: str | Method | StudyArm) -> str | Method:
    if isinstance(given, MethodArm):
        return given.given or given.name
    if isinstance(given, StudyArm):
        raise ValueError(f"{given} is no method that a loop of one's own can train: only a study of a case makes it")
    return given
