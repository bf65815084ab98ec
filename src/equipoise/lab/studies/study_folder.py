"""The folder of a study: what may stand in it, who works in it, and whether its runs may stand beside a plan's."""

from pathlib import Path
from typing import Any, BinaryIO

from equipoise.lab.evaluation.folder import TABLES
from equipoise.lab.files import DamagedError, differences, make_folder, open_lock_file, read_json, try_lock
from equipoise.lab.studies.derived_methods import read_tuned
from equipoise.lab.studies.plan import Plan, method_files

LOCK = ".lock"
OURS = {  # what a study makes in its folder
    *(LOCK, "study.json", "runs", *TABLES, "methods.csv", "equal_time.csv", "tasks.csv", "tuned", "tuned.json"),
    *("trackers", "figures", "tables", "report.html"),
}


def read_earlier(folder: Path) -> dict[str, Any]:
    """The study.json of a folder, empty for a new folder, which is made.

    Raises:
        ValueError: The folder cannot be made, or holds something else or a damaged study.json.
    """
    path = folder / "study.json"
    if path.is_file():
        try:
            description = read_json(path)
            if description.get("loop"):
                raise ValueError(f"{folder} holds a loop's runs: choose another folder")
            description["settings"], description["method_files"]
        except KeyError:
            raise DamagedError(path, "is no description of a study") from None
        return description
    if folder.is_dir() and any(entry.name.removesuffix(".unfinished") not in OURS for entry in folder.iterdir()):
        raise ValueError(f"{folder} holds something else than a study: choose another folder")
    make_folder(folder)
    return {}


def occupy(folder: Path) -> BinaryIO:
    """Hold the folder until the file is closed or this process ends, however it ends.

    Raises:
        ValueError: Another process holds it.
    """
    lock = open_lock_file(folder / LOCK)
    if not try_lock(lock):
        lock.close()
        raise ValueError(f"another process is at work in {folder}: wait for it, or choose another folder")
    return lock


def require_same_study(plan: Plan, folder: Path, earlier: dict[str, Any]) -> None:
    """Raise where the runs that a folder has, by its study.json, cannot stand beside a plan's.

    Raises:
        ValueError: So it is; the message names what differs.
    """
    if not earlier:
        return
    tried = (read_tuned(folder) or {}).get("trials", plan.tuned_trials)
    if plan.tuned_trials not in (0, tried):
        raise ValueError(
            f"{folder} holds weights tuned with {tried} trials, not {plan.tuned_trials}: choose another folder, or ask "
            f"for tuned_trials {tried}"
        )
    now = {**plan.identity, "method_files": method_files(plan.arms)}
    files = {name: mark for name, mark in earlier["method_files"].items() if name in now["method_files"]}
    then = {key: earlier.get(key) for key in now} | {"method_files": {**now["method_files"], **files}}
    if found := differences(then, now):
        raise ValueError(
            f"{folder} was made with other settings ({'; '.join(found)}): choose another folder, or ask for the same"
        )
