"""The settings that a case is trained with."""

from typing import Any, Protocol

from equipoise.lab.settings import Settings
from equipoise.lab.training.order import make_order
from equipoise.lab.training.problem import Problem
from equipoise.lab.training.selection import kept_criteria


class Defaults(Problem, Protocol):
    """A problem with settings of its own."""

    @property
    def epochs(self) -> int:
        """At most."""

    @property
    def batch_size(self) -> int:
        """Samples per step."""

    @property
    def learning_rate(self) -> float:
        """At its highest."""

    @property
    def weight_decay(self) -> float:
        """Of AdamW."""

    @property
    def patience(self) -> int:
        """Epochs without a better one."""


def case_settings(case: Defaults, *, epochs: int | None = None, **training: Any) -> Settings:
    """The settings of a case, but for those that are given.

    Raises:
        ValueError: If one is out of its range, or names a task or metric that the case has not.
    """
    own = {
        "epochs": case.epochs if epochs is None else epochs,
        "batch_size": case.batch_size,
        "learning_rate": case.learning_rate,
        "weight_decay": case.weight_decay,
        "clip_norm": None,
        "patience": case.patience,
    }
    settings = Settings(**{**own, **training})
    kept_criteria(settings, case.tasks.names, case.metrics)
    make_order(case.data["train"], 0, settings.temperature)  # type: ignore[arg-type]
    return settings
