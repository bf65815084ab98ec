"""One training of a study."""

import hashlib
import re
from dataclasses import dataclass

from equipoise.lab.arms import SINGLE_TASK, StudyArm


@dataclass(frozen=True)
class Run:
    """One training: an arm on some of the case's tasks with a seed."""

    arm: StudyArm
    tasks: tuple[str, ...]
    seed: int

    @property
    def task(self) -> str:
        """The task of a single-task run, else "all"."""
        return self.tasks[0] if self.arm == SINGLE_TASK else "all"

    @property
    def source(self) -> "Run | None":
        """The run whose result this one needs: for frozen weights that of the method, with the same seed."""
        return None if self.arm.source is None else Run(self.arm.source, self.tasks, self.seed)

    @property
    def folder_name(self) -> str:
        """``<method>-<task>-seed<k>``, where a name is no name of a file with a mark of the whole name."""
        return f"{_file_name(str(self.arm))}-{_file_name(self.task)}-seed{self.seed}"

    def __str__(self) -> str:
        what = f"{self.arm} {self.task}" if self.arm == SINGLE_TASK else self.arm
        return f"{what}, seed {self.seed}"


def _file_name(name: str) -> str:
    plain = re.sub(r"[^\w-]+", "-", name)[:60]
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
