"""One training of a study."""

import hashlib
import re
from dataclasses import dataclass

from equipoise.lab.evaluation import SINGLE_TASK, source_of


@dataclass(frozen=True)
class Run:
    """One training: a method on some of the case's tasks with a seed."""

    method: str  # as ``eq.method`` takes it, "single-task", "tuned", "frozen-" and another, or "task=loss"
    tasks: tuple[str, ...]
    seed: int

    @property
    def task(self) -> str:
        """The task of a single-task run, else "all"."""
        return self.tasks[0] if self.method == SINGLE_TASK else "all"

    @property
    def source(self) -> "Run | None":
        """The run whose result this one needs: for frozen weights that of the method, with the same seed."""
        method = source_of(self.method)
        return None if method is None else Run(method, self.tasks, self.seed)

    @property
    def folder_name(self) -> str:
        """``<method>-<task>-seed<k>``, where a name is no name of a file with a mark of the whole name."""
        return f"{_file_name(self.method)}-{_file_name(self.task)}-seed{self.seed}"

    def __str__(self) -> str:
        what = f"{self.method} {self.task}" if self.method == SINGLE_TASK else self.method
        return f"{what}, seed {self.seed}"


def _file_name(name: str) -> str:
    plain = re.sub(r"[^\w-]+", "-", name)[:60]
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
