"""A watch over this process, which leaves what it saw in a file; and the environment that starts one."""

import atexit
import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from equipoise.watching.seen import ScriptSeen
from equipoise.watching.watch import ScriptWatch

_FOLDER, _AT = "EQUIPOISE_DOCTOR", "EQUIPOISE_DOCTOR_AT"
STARTED = "started"  # an empty file


def environment(folder: Path, at: Iterable[int], known: Mapping[str, str]) -> dict[str, str]:
    """The variables with which a process and those that it starts are watched.

    Args:
        folder: Where each leaves what it saw.
        at: Which calls of one line are looked at.
        known: The variables that it would have otherwise.
    """
    startup = str(Path(__file__).parent / "startup")
    path = os.pathsep.join([startup, *filter(None, [known.get("PYTHONPATH")])])
    return {**known, "PYTHONPATH": path, _FOLDER: str(folder), _AT: ",".join(map(str, at))}


def watch_this_process() -> None:
    """Watch until the process ends; each look is written at once, as a process may be killed."""
    folder = Path(os.environ[_FOLDER])
    at = [int(one) for one in os.environ[_AT].split(",")]

    def write(seen: ScriptSeen) -> None:
        rank = os.environ.get("RANK", "0")
        seen.rank = int(rank) if rank.isdecimal() else 0
        part = folder / f"{os.getpid()}.part"
        try:
            part.write_text(json.dumps(seen.as_dict()))
            part.replace(folder / f"{os.getpid()}.json")
        except OSError as error:  # a process that outlives the command, or a full disk
            print(f"equipoise doctor: what process {os.getpid()} saw is lost: {error}", file=sys.stderr)

    watch = ScriptWatch(at, after_look=write)
    watch.start()
    atexit.register(lambda: write(watch.seen) if watch.seen.calls else None)


def read(folder: Path) -> list[ScriptSeen]:
    """What all processes left, by rank."""
    found = [ScriptSeen.from_dict(json.loads(file.read_text())) for file in sorted(folder.glob("*.json"))]
    return sorted(found, key=lambda one: one.rank)


def has_started(folder: Path) -> bool:
    """Whether any process of Python's ran what starts a watch: one with ``-I``, ``-E`` or ``-S`` does not."""
    return (folder / STARTED).exists()
