"""A plan done from start to end, look by look, and shown as it goes."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from equipoise.lab.evaluation import StudyResults, Summary, counted, give_minutes
from equipoise.lab.search.trial import Job
from equipoise.lab.search.watch import Items, Watch, finished, keeping, state_of
from equipoise.lab.studies.looks import record_look
from equipoise.lab.studies.plan import Plan, Run
from equipoise.lab.studies.sizes import TimeLimit, plan_within, planned_before
from equipoise.lab.studies.sklearn_baselines import EXTRA, is_installed
from equipoise.lab.studies.study import Study, require_runnable
from equipoise.lab.studies.timing import shorter, time_steps
from equipoise.lab.training.workers import Execute
from equipoise.own_file import error_line


def run_plan(
    plan: Plan,
    folder: Path,
    console: Console,
    jobs: int,
    track: Sequence[str] = (),
    limit: TimeLimit | None = None,
    execute: Execute[Any] | None = None,
) -> Study:
    """Say how long it takes, do what is missing of a plan in a folder, and show what happens as it happens.

    With a ``limit`` only as much of it as ``plan_within`` chooses, by a short timing.
    ``execute`` does the jobs; None: worker processes.
    Where looks are planned it ends at the first at which a difference is significant; one that has more seeds is past.

    Raises:
        ValueError: As of ``Study`` and ``Study.run``.
        OSError: A file cannot be written; a note says what is kept.
        KeyboardInterrupt: The message says what is kept.
    """
    require_runnable(jobs, track)
    plan, told = _fit_into(Study(plan, folder), jobs, limit)
    for count in (count for count in plan.planned_looks[:-1] if not _has_finished(plan, folder, plan.seeds[count:])):
        study = _run(Study(replace(plan, seeds=plan.seeds[:count]), folder), console, jobs, track, told, execute)
        told = []
        if study.failures:
            return study
        seen = StudyResults.from_folder(folder).looked_at()
        record_look(seen)
        if Summary.of_study(seen).finds:
            spared = f"{len(plan.seeds) - count} of {len(plan.seeds)} seeds are not needed"
            console.print(f"A difference is significant at this look: {spared}.", markup=False)
            return study
    return _run(Study(plan, folder), console, jobs, track, told, execute)


def _fit_into(study: Study, jobs: int, limit: TimeLimit | None) -> tuple[Plan, list[str]]:
    """As much of the study's plan as fits into a limit, and lines on what it takes."""
    before = None if limit is None else planned_before(limit, study.plan, study.earlier)
    plan = before or study.plan
    if set(plan.runs) <= set(study.results):
        return plan, []
    try:
        costs = time_steps(plan, study.threads or max(1, torch.get_num_threads() // jobs))
    except Exception as error:  # whatever a case of the user's does: its runs will say it, too
        return plan, [f"No estimate of the time: {error_line(error)}"]
    if limit is not None and before is None:
        plan = plan_within(limit, plan, costs, jobs, study.results)
    missing = [run for run in plan.runs if run not in study.results]
    trials = plan.tuned_trials - study.tried if plan.tuned_trials and not study.tuned else 0
    needed = costs.minutes(plan, missing, trials, jobs)
    runs = counted(len(missing), "run") + (f" and {counted(trials, 'trial')}" if trials else "")
    most = "at most " if needed > 1 else ""
    line = f"{runs} take{'s' * (len(missing) == 1)} {most}{give_minutes(needed)} on {jobs} process"
    line += "es" * (jobs != 1)
    words = {what: give_minutes(of) for what, of in shorter(plan, costs, jobs, trials)}
    less = ", ".join(f"with {what} {time}" for what, time in words.items() if time != give_minutes(needed))
    return plan, [f"{line}{f'; {less}' if less and needed > (limit.minutes if limit else 1) else ''}."]


def _has_finished(plan: Plan, folder: Path, seeds: Sequence[int]) -> bool:
    later = [run for run in plan.runs if run.seed in seeds]
    return any((folder / "runs" / run.folder_name / "result.json").is_file() for run in later)


def _run(
    study: Study,
    console: Console,
    jobs: int,
    track: Sequence[str],
    told: Sequence[str],
    execute: Execute[Any] | None,
) -> Study:
    warned: set[str] = set()
    with keeping(lambda: _kept(study)):
        announce(study, console)
        for line in told:
            console.print(line, markup=False, soft_wrap=True)
        with closing(study.run(jobs, track, execute)) as events, watch_of(study, console) as watch:
            for event in events:
                watch.show(event)
                if event.kind == "finished" and isinstance(event.item, Run):
                    new = [warning for warning in event.details[0] if warning not in warned]
                    for warning in new:  # a person does not see it otherwise; once, however many runs give it
                        watch.say(f"Warning from {event.item}: {warning}")
                    warned.update(new)
    return study


def watch_of(study: Study, console: Console) -> Watch:
    """What shows the events of ``Study.run``: runs, and trials where it tunes."""
    plan, tunes = study.plan, study.tunes
    return Watch(
        console,
        {
            Run: Items("runs", len(plan.runs), lambda: len(study.results) + len(study.failures)),
            Job: Items("tuned weights", plan.tuned_trials, lambda: study.tried if tunes else 0, visible=tunes),
        },
        plan.settings.epochs,
    )


def announce(study: Study, console: Console) -> None:
    """Print what there is, what is left out, and what comes before the runs."""
    state = state_of(len(study.results), len(study.plan.runs), "run")
    console.print(f"{state} in {study.folder}", markup=False, soft_wrap=True)
    epochs, steps = counted(study.plan.settings.epochs, "epoch"), counted(study.plan.steps_per_epoch, "step")
    console.print(f"A run is at most {epochs} of {steps}.", markup=False)
    if study.left_out:
        console.print(
            f"This table leaves out what the folder also holds: {', '.join(study.left_out)}. To leave out methods or "
            "seeds after looking at them changes what the verdicts mean.",
            markup=False,
            soft_wrap=True,
        )
    if study.lacks_baselines:
        console.print(
            "Baselines: a linear model and gradient boosting (scikit-learn)"
            if is_installed()
            else f"No baselines of scikit-learn, which is not installed: {EXTRA}",
            markup=False,
        )
    if study.tunes and not study.tuned:
        console.print(f"Tuned weights: {counted(study.plan.tuned_trials, 'trial')}", markup=False)


def _kept(study: Study) -> str:
    return f"{finished(len(study.results), len(study.plan.runs), 'run')} and kept in {study.folder}"
