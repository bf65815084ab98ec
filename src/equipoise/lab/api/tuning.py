"""A search of task weights and what stands beside them, from start to end."""

from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

from rich.console import Console
from typing_extensions import Unpack

from equipoise.lab.api.given import GivenCase, recipe_of, takes_settings
from equipoise.lab.cases.recipe import Recipe, case_options
from equipoise.lab.evaluation import counted
from equipoise.lab.files import DamagedError, read_json, write_text
from equipoise.lab.search import RULES, require_preference
from equipoise.lab.search.choice import RuleName
from equipoise.lab.search.results import SearchResults as SearchResults
from equipoise.lab.search.tables import best, trials_table, write_trials
from equipoise.lab.search.trial import Job
from equipoise.lab.search.tune import SamplerName, Tuning, make_tuning, under_earlier_names
from equipoise.lab.search.watch import Items, Watch, finished, keeping, state_of
from equipoise.lab.settings import JOBS, RUNS, TrainingOptions
from equipoise.lab.training.executors import Executor, executing
from equipoise.lab.training.workers import Event, Execute
from equipoise.registry import MethodName

BEST = 5  # trials that a terminal shows while it goes


@takes_settings
def tune(
    case: GivenCase,
    trials: int = 30,
    *,
    method: MethodName | str = "fixed",
    search: Sequence[str] = ("weights",),
    sampler: SamplerName | str = "tpe",
    epochs: int | None = None,
    seed: int = 0,
    choose: RuleName | str = "delta-m",
    prefer: Mapping[str, float] | None = None,
    jobs: int | None = None,
    executor: str | Executor | None = None,
    folder: str | Path | None = None,
    storage: str | None = None,
    stale_after: float | None = None,
    **settings: Unpack[TrainingOptions],
) -> SearchResults:
    """Search the tasks' weights, or what else is asked for, by the tasks' validation metrics.

    Trials are trained in worker processes, so a script calls this below ``if __name__ == "__main__":``. Where the
    folder holds finished trials of the same search, only what is missing is trained. The test split is not read.

    Args:
        case: A case by name, as ``path/to/file.py:make_case``, a ``Case``, or a recipe such as a ``TableCase``.
        trials: How many points are tried.
        method: By name, or as ``path/to/file.py:Name``; ``fixed``: the weights are those of a plain sum.
        search: ``weights``, ``lr``, ``wd``, ``lr=1e-4:1e-2``; arguments of the method, ``alpha=0.5:2`` or
            ``mode=a|b``; of a task's loss, ``emotions.proportion=0.1:0.9``.
        sampler: ``tpe``, ``grid``, ``random``, ``front`` (TPE for every task's metric), ``halving`` or ``population``.
        epochs: At most so many per trial; None: the case's own.
        seed: Of the search and of each training.
        choose: The rule by which the best trial is chosen: ``delta-m``, ``knee`` or ``preference``.
        prefer: By task, how much more its metric matters; for the rule ``preference``.
        jobs: Trials at a time; None: one per core, at most 4.
        executor: What does the trials: ``ray`` or ``ray=ADDRESS``, a cluster, or any object with ``submit`` such as an
            executor of ``concurrent.futures``; None: processes of this machine.
        folder: Where trials are kept; None: ``equipoise-runs/CASE-tune``, or that of the same table by another name.
        storage: Of Optuna, as a URL; None: a journal in the folder.
        stale_after: Minutes after which a trial of a host without this folder counts as lost; None: never.
        settings: Of the training, by their names in ``equipoise.lab.training.Settings``.

    Raises:
        KeyboardInterrupt: The message says what is kept.
        ValueError: The case, the method or an argument cannot be used, the folder holds something else, or no trial
            ended well.
    """
    if choose not in RULES:
        raise ValueError(f"choose must be one of {', '.join(RULES)}, got {choose!r}")
    if choose == "preference" and not prefer:
        raise ValueError("choose 'preference' needs prefer, a number by task (--prefer TASK=X)")
    if prefer and choose != "preference":
        raise ValueError(f"prefer needs choose 'preference' (--choose preference), got {choose!r}")
    recipe, jobs = recipe_of(case), JOBS if jobs is None else jobs
    where = _default_folder(recipe) if folder is None else Path(folder)
    tuning = make_tuning(
        recipe,
        method,
        search,
        sampler,
        trials,
        where,
        epochs=epochs,
        seed=seed,
        jobs=jobs,
        storage=storage,
        stale_after=stale_after,
        **settings,
    )
    require_preference(prefer or {}, [objective.task for objective in tuning.search.objectives])
    with executing(executor, where) as execute:
        _run(tuning, jobs, Console(highlight=False), execute)
    return SearchResults(tuning, choose, prefer)


def _default_folder(recipe: Recipe) -> Path:
    """By the case's name, or that of the same table under another name, if a search on it is there."""
    case = recipe()
    own = RUNS / f"{case.name}-tune"
    now = {"case": case.name, "case_options": case_options(recipe, case), "data_hash": case.data_hash}
    for path in [] if own.exists() else sorted(RUNS.glob("*/search.json")):
        with suppress(DamagedError):  # of another search
            earlier = read_json(path)
            then = under_earlier_names(now, earlier)
            if then is not now and all(earlier.get(key) == then[key] for key in then):
                return path.parent
    return own


def _run(tuning: Tuning, jobs: int, console: Console, execute: Execute[Job] | None) -> None:
    """Do what is missing of a search, and show it as it goes."""
    search = tuning.search
    console.print(f"{_state(tuning)} in {search.folder}", markup=False, soft_wrap=True)
    with (
        keeping(lambda: _kept(tuning)),
        closing(search.run(tuning.evaluate, jobs, execute)) as events,
        watch_of(tuning, console) as watch,
    ):
        for event in events:
            watch.show(event)
            _keep(tuning, event)
    write_trials(search)


def watch_of(tuning: Tuning, console: Console) -> Watch:
    """What shows the events of a search, on a terminal below its best trials."""
    search = tuning.search

    def about(event: Event[Job]) -> str:
        change = search.changes.get(event.item.number)
        return "" if change is None else f", Δm {change:+.2f} %"

    return Watch(
        console,
        {Job: Items("trials", search.strategy.num_trials, lambda: len(search.trials))},
        tuning.evaluate.settings.epochs,
        about=about,
        above=lambda: trials_table(search, best(search, BEST)),
    )


def _kept(tuning: Tuning) -> str:
    search = tuning.search
    return f"{finished(len(search.trials), search.strategy.num_trials, 'trial')} and kept in {search.folder}"


def _keep(tuning: Tuning, event: Event[Job]) -> None:
    """What a stop at any time leaves to read."""
    if event.kind == "failed":
        place = tuning.search.folder / "trials" / f"{event.item.number:04d}"
        place.mkdir(parents=True, exist_ok=True)
        write_text(place / "error.txt", event.details[1])
    elif event.kind == "finished":
        write_trials(tuning.search)


def _state(tuning: Tuning) -> str:
    trials, total = tuning.search.trials, tuning.search.strategy.num_trials
    failed = sum(trial.values is None for trial in trials.values())
    if len(trials) == total and failed:
        return f"Complete: {total - failed} of {counted(total, 'trial')} ended well, {failed} failed"
    return state_of(len(trials), total, "trial")
