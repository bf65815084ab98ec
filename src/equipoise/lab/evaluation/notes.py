"""Notes beside a study's figures: what is missing, what to check, and how some rows came about."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from equipoise.lab.arms import parse_arm
from equipoise.lab.evaluation.metric import REFERENCE, SINGLE_TASK, TUNED
from equipoise.lab.evaluation.numbers import counted, give_minutes, listing, of_seeds
from equipoise.lab.evaluation.study import RunCost, StudyResults
from equipoise.lab.evaluation.table import ComparisonTable
from equipoise.lab.settings import MANY_TASKS

_SKEWED = (
    "The 5 % of a verdict hold for differences that are roughly symmetric about their mean; with such a run among "
    "them rely on the sign test that the report shows beside the verdict."
)
SAME_TRAINING = f"The case has one task, so {SINGLE_TASK} is the same training as {REFERENCE}, which stands for both."
_LOGIT_ADJUSTED = "logit-adjusted"  # a loss made for another decision than the one that accuracy counts


def gap_notes(without: Sequence[str], absent: Mapping[tuple[str, str], tuple[int, ...]], num_tasks: int) -> list[str]:
    """One note for all methods without a finished run, one for all that lack the same seeds on the same tasks.

    Args:
        without: Methods without any finished run.
        absent: The seeds that others lack, by method and task.
        num_tasks: How many tasks there are; where seeds are lacking on all of them, no task is named.

    >>> gap_notes(["dwa"], {("uw", "a"): (3, 4), ("uw", "b"): (3, 4), ("sum", "a"): (3,), ("sum", "b"): ()}, 2)
    ['dwa: no finished run.', 'uw: no finished run for seeds 3 and 4.', 'sum on a: no finished run for seed 3.']
    """
    lacking: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for (method, task), seeds in absent.items():
        if seeds:
            lacking.setdefault((method, seeds), []).append(task)
    alike: dict[tuple[tuple[str, ...], tuple[int, ...]], list[str]] = {}
    for (method, seeds), named in lacking.items():
        alike.setdefault((tuple(named), seeds), []).append(method)
    notes = [f"{listing(without)}: no finished run."] if without else []
    for (of_tasks, seeds), methods in alike.items():
        which = listing(of_tasks) if len(of_tasks) <= MANY_TASKS else counted(len(of_tasks), "task")
        where = f" on {which}" if len(of_tasks) < num_tasks else ""
        notes.append(f"{listing(methods)}{where}: no finished run for {of_seeds(seeds)}.")
    return notes


def check_notes(table: ComparisonTable) -> list[str]:
    """One note for all methods whose comparison with one other on one task is to be checked for the same reason."""
    alike: dict[tuple[str, str, str], list[str]] = {}
    for row in table.rows:
        for task, score in row.primary.items():
            for other, comparison in score.to.items():
                if comparison.check is not None:
                    alike.setdefault((task, other, comparison.check.reason), []).append(row.method)
    notes = [f"{listing(methods)} to {other} on {task}: {reason}." for (task, other, reason), methods in alike.items()]
    return [f"{notes[0]} {_SKEWED}", *notes[1:]] if notes else []


def alone_notes(study: Mapping[str, Any]) -> list[str]:
    """Which tasks have single-task networks, where those are not all."""
    alone = study.get("single_task")
    if alone is None:
        return []
    of = counted(len(study["metrics"]), "task")
    ask = f"--single-task N trains them for N of the {of}"
    if not alone:
        return [f"{SINGLE_TASK}: left out, so there is no Δm, and whether sharing helps is not known; {ask}."]
    return [f"{SINGLE_TASK}: of {len(alone)} of the {of}, spread evenly; Δm and wins are of these alone."]


def postponed_note(study: Mapping[str, Any]) -> list[str]:
    """What of the study is left for later, and what it takes, where its minutes were limited.

    Args:
        study: The content of study.json.

    >>> postponed_note({"postponed": {"minutes": 5.0, "methods": ["mgda"], "seeds": [3, 4], "more_minutes": 9.7}})
    ['Left for later, to have a verdict within 5 minutes: mgda, and seeds 3 and 4, about 10 minutes more.']
    """
    if not (later := study.get("postponed")):
        return []
    parts = [listing(later["methods"])] if later["methods"] else []
    parts += [of_seeds(later["seeds"])] if later["seeds"] else []
    within, more = f"{later['minutes']:g} minute{'s' * (later['minutes'] != 1)}", give_minutes(later["more_minutes"])
    why, least = f"to have a verdict within {within}", give_minutes(later.get("least_minutes", later["minutes"]))
    if least != give_minutes(later["minutes"]):
        why = f"as the least that can be judged takes {least}, more than the {within}"
    return [f"Left for later, {why}: {', and '.join(parts)}, {more} more."]


def tuning_notes(study: Mapping[str, Any]) -> list[str]:
    """The tuned weights and the number of trials that found them, or that there are none.

    Args:
        study: The content of study.json.
    """
    if study.get("tuned_trials") == 0 and study.get("question", "") == "" and len(study["metrics"]) > 1:
        return [f"{TUNED}: left out (0 trials), so whether any method beats tuned fixed weights is not known."]
    about = study.get(TUNED, {}) if TUNED in study["methods"] else {}
    if "weights" not in about:
        return [f"{TUNED}: {about['reason']}"] if "reason" in about else []
    weights = ", ".join(f"{task} {weight:.3g}" for task, weight in about["weights"].items())
    return [
        f"{TUNED}: {weights}, the best of {_trials(about)} on validation with seed {about['seed']}; every "
        "other method was tried with one setting."
    ]


def _trials(about: Mapping[str, Any]) -> str:
    """How many of the trials asked for finished."""
    asked = about["trials"]
    ended = about.get("ended", asked)
    trials = counted(ended, "trial")
    return trials if ended == asked else f"{trials} ({asked - ended} of {asked} failed)"


def baseline_notes(results: StudyResults) -> list[str]:
    """What the rows of scikit-learn are, and where they saw fewer rows or tasks than the networks."""
    if not results.baselines:
        return []
    few = {f"{one.rows:,} of {one.of:,} rows" for one in results.baselines if one.rows < one.of}
    tasks = len({one.task for one in results.baselines})
    limits = [f", trained on {listing(sorted(few))}"] if few else []
    limits += [f", on {tasks} of {counted(len(results.tasks), 'task')}"] if tasks < len(results.tasks) else []
    names = listing(list(dict.fromkeys(one.baseline for one in results.baselines)))
    return [
        f"{names}: one model for each task on the inputs of the networks, chosen on validation"
        f"{''.join(limits)}; not among the comparisons (baselines.csv)."
    ]


def frozen_notes(study: Mapping[str, Any]) -> list[str]:
    """What a run of frozen weights takes beside its own training.

    Args:
        study: The content of study.json.
    """
    return [
        f"{arm}: each of its runs is fixed at the weights with which the run of {arm.source} with the same seed "
        "ended, so it takes two trainings where the others take one."
        for arm in map(parse_arm, study["methods"])
        if arm.source is not None
    ]


def loss_notes(table: ComparisonTable) -> list[str]:
    """What a row of other losses changes."""
    rows = [row for row in table.rows if row.arm.losses]
    if not rows:
        return []
    others = f" and {len(rows) - 1} more of its kind" if len(rows) > 1 else ""
    balance = (
        " A loss on another scale also shifts the balance between the tasks, so such a row changes loss and balance at "
        "once."
    )
    several = balance if len(rows[0].scores) > 1 else ""
    moved = (
        f" {_LOGIT_ADJUSTED} moves the decision between classes, which accuracy depends on: judge it by AUROC or "
        "average precision, which hardly do."
    )
    losses = {loss.split(":")[0] for row in rows for loss in row.arm.losses.values()}
    decided = moved if _LOGIT_ADJUSTED in losses else ""
    return [
        f"{rows[0].method}{others}: the plain sum with other losses.{several}{decided} Loss curves are each in the "
        "unit of their loss."
    ]


def step_notes(costs: Iterable[RunCost]) -> list[str]:
    """A note on each run with steps that were not taken, or that the method could not solve."""
    meanings = {"skipped_steps": "not taken (gradient not finite)", "unsolved_steps": "without solution"}
    return [
        f"{cost.method}, seed {cost.seed}: {getattr(cost, column)} of {cost.steps} steps {meaning}."
        for cost in costs
        for column, meaning in meanings.items()
        if getattr(cost, column)
    ]
