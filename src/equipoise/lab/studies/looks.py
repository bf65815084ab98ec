"""What study.json keeps for good: every look at the results, and what was left out once it was finished."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.lab.arms import SINGLE_TASK, StudyArm, parse_arm
from equipoise.lab.evaluation import StudyResults
from equipoise.lab.files import DamagedError, file_within, read_json, write_json
from equipoise.lab.studies.plan import Plan, Run

FILE = "study.json"


def record_look(results: StudyResults) -> None:
    """Note in study.json that the verdicts of these results were shown; to show the same again is no new look.

    A study.json without a checksum, of an older version or another's, stays as it is.

    Raises:
        ValueError: A file is a link that leads out of the folder.
        OSError: study.json cannot be written.
    """
    path = file_within(results.folder, FILE)
    try:
        study = read_json(path)
    except DamagedError:
        return  # it could be read for the summary, so it lacks the checksum alone
    if results.look not in study.get("looks", []):
        study["looks"] = [*study.get("looks", []), results.look]
        write_json(path, study)


def looks_in(folder: Path) -> list[Any]:
    """The looks so far: another process may have noted one since the study was opened."""
    path = folder / FILE
    looks: list[Any] = read_json(path).get("looks", []) if path.is_file() else []
    return looks


def left_out(plan: Plan, folder: Path, earlier: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Methods and seeds with finished runs in a study's folder, by its earlier study.json, that a plan leaves out."""
    names = tuple(plan.case.tasks.names)

    def finished(arm: StudyArm, seed: int) -> bool:
        run = Run(arm, names[:1] if arm == SINGLE_TASK else names, seed)
        return (folder / "runs" / run.folder_name / "result.json").is_file()

    arms, seeds = [*map(parse_arm, earlier.get("methods", []))], earlier.get("seeds", [])
    return {
        "methods": [str(a) for a in arms if a not in plan.arms and any(finished(a, seed) for seed in seeds)],
        "seeds": [s for s in seeds if s not in plan.seeds and any(finished(a, s) for a in (SINGLE_TASK, *arms))],
    }


def ever_left_out(now: Mapping[str, list[Any]], earlier: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What is left out now, and all that was ever left out before; without what is empty."""
    kept = earlier.get("left_out", {})
    found = {kind: list(dict.fromkeys([*kept.get(kind, []), *names])) for kind, names in now.items()}
    return {kind: names for kind, names in found.items() if names}


def require_same_looks(plan: Plan, folder: Path, earlier: Mapping[str, Any]) -> None:
    """Raise a ValueError where looks are planned otherwise than before: they were to be chosen before the first.

    Raises:
        ValueError: So it is.
    """
    planned = tuple(earlier.get("planned_looks", ()))
    if planned == plan.planned_looks or (not planned and not earlier.get("looks")):
        return
    if planned:
        raise ValueError(
            f"{folder} has its looks planned at {', '.join(map(str, planned))} seeds: ask for looks {len(planned)} "
            f"and seeds {planned[-1]}, or choose another folder"
        )
    raise ValueError(
        f"{folder} was looked at without a plan, and looks are chosen before the first look: choose another folder"
    )
