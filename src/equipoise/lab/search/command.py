"""What ``equipoise tune`` does once its words are read."""

from argparse import Namespace
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.console import Console

from equipoise.lab.cases.recipe import Recipe
from equipoise.lab.files import write_text
from equipoise.lab.search.choice import RULES
from equipoise.lab.search.finish import finish
from equipoise.lab.search.tables import write_trials
from equipoise.lab.search.trial import Job
from equipoise.lab.search.tune import Tuning, make_tuning
from equipoise.lab.search.watch import WatchSearch
from equipoise.lab.training.workers import Event

FAILED, STOPPED = 1, 130


def tune(console: Console, case: str | Recipe, words: Namespace, folder: Path, training: Mapping[str, Any]) -> int:
    """Run what is missing of a search and show its result; returns the exit status.

    ``training`` are settings that are not the case's own.

    Raises:
        ValueError: Wrong use, or a search without a result.
    """
    if words.choose not in RULES or (words.choose == "preference") != bool(words.prefer):
        raise ValueError(f"--choose is one of {', '.join(RULES)}, and preference goes with --prefer TASK=X")
    tuning = make_tuning(
        case,
        words.method,
        words.search,
        words.sampler,
        words.trials,
        folder,
        epochs=words.epochs,
        seed=words.seed,
        jobs=words.jobs,
        storage=words.storage,
        stale_after=words.stale_after,
        **training,
    )
    search = tuning.search
    try:
        console.print(f"{_state(tuning)} in {folder}", markup=False, soft_wrap=True)
        with closing(search.run(tuning.evaluate, words.jobs)) as events, WatchSearch(console, search) as watch:
            for event in events:
                watch.show(event)
                _keep(folder, tuning, event)
        finish(console, tuning, words.choose, words.prefer)
    except KeyboardInterrupt:
        console.print(
            f"Stopped: {len(search.trials)} of {search.strategy.slots} trials are finished and kept in {folder}; "
            "the same command goes on.",
            markup=False,
            soft_wrap=True,
        )
        return STOPPED
    failed = any(trial.values is None for trial in search.trials.values())
    return 0 if search.complete and not failed else FAILED


def _keep(folder: Path, tuning: Tuning, event: Event[Job]) -> None:
    """What a stop at any time leaves to read."""
    if event.kind == "failed":
        place = folder / "trials" / f"{event.item.slot:04d}"
        place.mkdir(parents=True, exist_ok=True)
        write_text(place / "error.txt", event.details[1])
    elif event.kind == "finished":
        write_trials(tuning.search)


def _state(tuning: Tuning) -> str:
    trials, total = tuning.search.trials, tuning.search.strategy.slots
    done, failed = len(trials), sum(trial.values is None for trial in trials.values())
    if done == total and failed:
        return f"Complete: {total - failed} of {total} trials ended well, {failed} failed"
    if done == total:
        return f"Complete: all {total} trials are finished"
    return f"Going on: {done} of {total} trials are finished" if done else f"Starting: {total} trials"
