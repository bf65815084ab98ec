"""The state of a run after an epoch: enough to resume as if nothing had happened."""

import math
import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor, nn

from equipoise.lab.files import DamagedError, load_with_checksum, replace_file, save_with_checksum
from equipoise.lab.training.result import Moment
from equipoise.lab.training.selection import SELECTION, SKILL, Metrics, Values, mean_skill, score


def generator_state() -> dict[str, Any]:
    """The states of Python's, numpy's and torch's global generators, as plain numbers and tensors."""
    _, keys, position, has_gauss, cached_gaussian = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (np.asarray(keys).tolist(), int(position), int(has_gauss), float(cached_gaussian)),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_generators(state: dict[str, Any]) -> None:
    """Put back what ``generator_state`` took."""
    random.setstate(state["python"])
    keys, *rest = state["numpy"]
    np.random.set_state(("MT19937", np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])


@contextmanager
def generators_kept() -> Iterator[None]:
    """Put the generators back afterwards, so that whoever calls draws what would have been next."""
    state = generator_state()
    try:
        yield
    finally:
        restore_generators(state)


class Best(TypedDict):
    """The best epoch so far by some criterion."""

    epoch: int  # from 1
    score: float  # larger is better
    weights: dict[str, Tensor]  # the network's state


@dataclass
class Progress:
    """What the loop remembers from one epoch to the next."""

    history: list[Moment] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)  # one per epoch, by the criterion that selects
    best: dict[str, Best] = field(default_factory=dict)  # by criterion
    stopped: dict[str, int] = field(default_factory=dict)  # tasks that contribute no more -> their last epoch
    step_seconds: list[float] = field(default_factory=list)
    seconds: float = 0.0
    peak_memory_mb: float = 0.0
    skipped_steps: int = 0
    unsolved_steps: int = 0

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.scores)

    @property
    def steps(self) -> int:
        """Steps done, those that were skipped included."""
        return len(self.step_seconds) + self.skipped_steps

    def remember(self, means: Iterable[tuple[str, str, float]], values: Values, metrics: Metrics, select: str) -> None:
        """One more epoch is done.

        Args:
            means: (task, quantity, value) of its training.
            values: What validation found.
            metrics: By task.
            select: The criterion that selects.
        """
        self.scores.append(score(select, values, metrics))
        overall = {SKILL: mean_skill(values, metrics)} | ({} if select == SKILL else {SELECTION: self.scores[-1]})
        self.history += [(self.epoch, "train", *row) for row in means]
        self.history += [
            (self.epoch, "validation", task, quantity, value)
            for task, found in (*values.items(), ("all", overall))
            for quantity, value in found.items()
        ]


def save_checkpoint(
    path: Path, run: str, progress: Progress, parts: Mapping[str, Any], accelerator: Accelerator
) -> None:
    """Write progress, the state of each part and of every process's generators, whole or not at all.

    To be called by all processes; the first one writes.
    """
    generators = gather_object([generator_state()])
    if accelerator.is_main_process:
        state = {
            "run": run,
            "progress": vars(progress),
            "parts": {name: part.state_dict() for name, part in parts.items()},
            "generators": generators,
        }
        save_with_checksum(path, state)


def load_checkpoint(path: Path, run: str, parts: Mapping[str, Any], rank: int) -> Progress:
    """Put every part, and the generators of this process, into the state that was saved.

    Raises:
        DamagedError: If the checkpoint is of another run or version, or not as it was written.
    """
    state = read_checkpoint(path, run)
    for name, part in parts.items():
        part.load_state_dict(state["parts"][name])
    restore_generators(state["generators"][rank])
    return Progress(**state["progress"])


def read_checkpoint(path: Path, run: str | None = None) -> dict[str, Any]:
    """What ``save_checkpoint`` wrote, of this run if one is given.

    Raises:
        DamagedError: As ``load_checkpoint``.
    """
    state = load_with_checksum(path)
    if not isinstance(state, dict) or set(state.get("progress", ())) != {field.name for field in fields(Progress)}:
        raise DamagedError(path, "is of another version of the package")
    if run is not None:
        require_same_run(path, state["run"], run)
    return state


def require_same_run(path: Path, found: str, run: str) -> None:
    """Raise if a file in the folder belongs to another run."""
    if found != run:
        raise DamagedError(path, f"is of another run (there: {found}; now: {run})")


def keep_better(
    progress: Progress, criteria: Iterable[str], values: Values, metrics: Metrics, network: nn.Module
) -> None:
    """Remember the network's weights for each criterion by which this epoch is better than all before, NaN never."""
    better = {}
    for criterion in criteria:
        value = score(criterion, values, metrics)
        before = progress.best.get(criterion)
        if before is None or value > before["score"] or (math.isnan(before["score"]) and not math.isnan(value)):
            better[criterion] = value
    if better:
        weights = {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}
        progress.best |= {
            name: Best(epoch=progress.epoch, score=value, weights=weights) for name, value in better.items()
        }


def write_best(path: Path, progress: Progress) -> None:
    """Write {criterion: {epoch, score, weights}}, as ``torch.load(path)`` reads it."""
    replace_file(path, lambda file: torch.save(progress.best, file))
