"""The files of a study's folder as they are read for its table and its page: as they were written, and safe to print.

The folder may be somebody else's.
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

from equipoise.lab import files
from equipoise.lab.evaluation.metric import Question
from equipoise.lab.files import DamagedError, file_within, read_json
from equipoise.lab.files.rows import Kind

MOST_SEEDS = 100_000  # of a study
FILES = "files"  # of study.json: SHA-256 of each table by its name
TABLES: Mapping[str, Mapping[str, Kind]] = {
    "runs.csv": {"method": str, "seed": int, "split": str, "task": str, "metric": str, "value": float},
    "history.csv": {
        **{"method": str, "seed": int, "epoch": int, "split": str, "task": str, "quantity": str},
        "value": float,
    },
    "costs.csv": {
        **{"method": str, "seed": int, "task": str},
        **dict.fromkeys(("epochs", "best_epoch", "steps", "skipped_steps", "unsolved_steps"), int),
        **dict.fromkeys(("seconds_per_step", "backwards_per_step", "peak_memory_mb"), float),
    },
    "exhibits.csv": {"method": str, "seed": int, "folder": str},
    "baselines.csv": {**dict.fromkeys(("baseline", "task", "metric"), str), "value": float, "rows": int, "of": int},
}
# a terminal obeys these; a tab and the ends of lines are text
_CONTROL = dict.fromkeys((*range(9), 11, 12, *range(14, 32), *range(127, 160)), "\N{REPLACEMENT CHARACTER}")
_ANY = "*"  # every key of an object
_NUMBER = (int, float)
_LARGEST = 10**300  # of whole numbers that become floats
_NEEDED: Mapping[str, Any] = {
    "case": str,
    "title": str,
    "methods": [str],
    "seeds": [int],
    "metrics": {
        _ANY: [{"name": str, "higher_is_better": bool, "perfect": _NUMBER, "trivial": _NUMBER}],
    },
    "complete": bool,
}
_OPTIONAL: Mapping[str, Any] = {
    **dict.fromkeys(("equipoise", "data_hash", "question"), str),
    **{key: {_ANY: object} for key in ("settings", "versions", "options", "tuned", "method_files", "failed", FILES)},
    "tasks": {_ANY: {_ANY: object}},
    "budgets": {_ANY: {_ANY: int}},
    "losses": {_ANY: {_ANY: str}},
    "tuned_trials": int,
    "single_task": list,
    "split_sizes": {_ANY: object},
    "planned_looks": [int],
    "looks": [{"seeds": [int], "methods": [str], "runs": int}],
    "left_out": {_ANY: [object]},
}


def read_study(folder: Path) -> dict[str, Any]:
    """The study.json of a folder; of an older version, or another's, it may lack the checksum but not the shape.

    Raises:
        ValueError: There is none, or a link that leads out of the folder.
        DamagedError: It is not as it was written, or describes no study.
    """
    path = _path(folder, "study.json")
    study = read_json(path, checksum_required=False)
    for key, shape in (*_NEEDED.items(), *_OPTIONAL.items()):
        if (key in study or key in _NEEDED) and (wrong := _misfit(study.get(key), shape, key)) is not None:
            raise DamagedError(path, f"is no description of a study ({wrong})")
    at = study.get("planned_looks", [1])
    if at[0] < 1 or at[-1] > MOST_SEEDS or any(after <= before for before, after in pairwise(at)):
        raise DamagedError(path, "is no description of a study (planned_looks are no rising numbers of seeds)")
    if study.get("question", "") not in get_args(Question):
        raise DamagedError(path, f"is no description of a study (question is {study['question'][:40]!r})")
    described: dict[str, Any] = printable(study)
    return described


def read_rows(folder: Path, name: str, study: Mapping[str, Any]) -> list[dict[str, str]]:
    """The rows of one of ``TABLES``, whose numbers can be read as such; where ``study`` has its hash, it fits.

    Raises:
        ValueError: There is none, or a link that leads out of the folder.
        DamagedError: It is not as it was written, or no such table.
    """
    rows = files.read_rows(_path(folder, name), TABLES[name], study.get(FILES, {}).get(name))
    return [{column: cell.translate(_CONTROL) for column, cell in row.items()} for row in rows]


def _path(folder: Path, name: str) -> Path:
    path = file_within(folder, name)
    if not path.is_file():
        raise ValueError(f"{folder} is not the folder of a study: it has no {name}")
    return path


def printable(value: Any) -> Any:
    """The value, in whose texts nothing is left that a terminal obeys."""
    if isinstance(value, str):
        return value.translate(_CONTROL)
    if isinstance(value, list):
        return [printable(one) for one in value]
    if isinstance(value, dict):
        return {printable(key): printable(one) for key, one in value.items()}
    return value


def _misfit(value: Any, shape: Any, where: str) -> str | None:
    """What of a value has not its shape: a type, several, a list of a shape, or an object of shapes by key."""
    if isinstance(shape, list):
        if not isinstance(value, list) or not value:
            return f"{where} is no list"
        return next(filter(None, (_misfit(one, shape[0], f"{where}[{i}]") for i, one in enumerate(value))), None)
    if isinstance(shape, Mapping):
        if not isinstance(value, dict):
            return f"{where} is no object"
        pairs = [(key, shape[_ANY]) for key in value] if _ANY in shape else list(shape.items())
        return next(filter(None, (_misfit(value.get(key), of, f"{where}.{key}") for key, of in pairs)), None)
    if shape is _NUMBER and isinstance(value, int) and abs(value) > _LARGEST:
        return f"{where} is beyond 1e300"
    if not isinstance(value, shape) or (isinstance(value, bool) and shape not in (bool, object)):
        return f"{where} is {str(value)[:40]!r}"
    return None
