"""Whether what a user's file makes is a case that can be trained, and with which losses."""

import re
from collections.abc import Iterable, Mapping, Sized
from typing import Any

import torch
from torch import Tensor

from equipoise.lab.cases.case import Case
from equipoise.lab.cases.chosen_losses import with_losses
from equipoise.lab.data.split import SPLITS
from equipoise.names import nearest
from equipoise.notes import add_note
from equipoise.tasks import Tasks

SAMPLES = 16


def check_case(case: Any) -> None:
    """Raise unless it is a ``Case`` that is whole, and one small batch of its training split gives losses.

    Raises:
        ValueError: What is missing; what its own code raises goes through.
    """
    if not isinstance(case, Case):
        raise ValueError(f"it must be an equipoise.lab.cases.Case or a function that makes one, got {case!r}")
    for split in SPLITS:
        if split not in case.splits:
            raise ValueError(f"data has no {split!r}; {nearest(split, case.splits)}")
        part = case.splits[split]
        if not isinstance(part, Sized) or not len(part):
            raise ValueError(f"split {split!r} must have a length of at least 1")
    for name in case.tasks.names:
        if not case.metrics.get(name):
            raise ValueError(f"metrics has none for task {name!r}; {nearest(name, case.metrics)}")
    inputs, targets = _small_batch(case)
    for names in (tuple(case.tasks.names), (case.tasks.names[0],)):
        try:
            outputs = case.model(names).eval()(inputs)
        except Exception as error:
            keys = f" {list(inputs)} (collate= chooses)" if isinstance(inputs, Mapping) else ""
            add_note(error, f"in model({list(names)}), given inputs{keys}")
            raise
        if not isinstance(outputs, Mapping):
            raise ValueError(
                f"model must give outputs by task name, got {type(outputs).__name__}: return {{{names[0]!r}: ..., ...}}"
            )
        if not set(names) <= set(outputs):
            raise ValueError(f"model({list(names)}) must give outputs {list(names)}, got {list(outputs)}")
    outputs = case.model(case.tasks.names).eval()(inputs)
    _check_losses(case, outputs, targets)


def require_losses(case: Case, choices: Iterable[Mapping[str, str]]) -> None:
    """Raise unless each of these choices, as ``with_losses`` takes them, has finite losses of one small batch.

    Raises:
        ValueError: What ``with_losses`` raises, or which loss fails.
    """
    made = [(chosen, with_losses(case, chosen).tasks) for chosen in choices if chosen]
    if not made:
        return
    inputs, targets = _small_batch(case)
    outputs = case.model(case.tasks.names).eval()(inputs)
    for chosen, tasks in made:
        for task, word in chosen.items():
            try:
                value = Tasks([tasks[task]]).losses(outputs, targets).get(task)
            except (ValueError, TypeError, RuntimeError) as error:
                raise ValueError(f"{task}={word}: {' '.join(str(error).split())}") from None
            except Exception as error:  # whatever a loss of the user's does
                raise ValueError(f"{task}={word}: {' '.join(f'{type(error).__name__}: {error}'.split())}") from error
            if value is not None and not value.requires_grad:
                raise ValueError(f"{task}={word}: it has no gradient by the outputs, so nothing learns from it")
            if value is not None and not value.isfinite():
                raise ValueError(f"{task}={word}: a batch has the loss {value:g}, which is not finite")


def _check_losses(case: Case, outputs: dict[str, Any], targets: dict[str, Tensor]) -> None:
    """Raise unless the tasks' losses and each of ``losses`` take the batch, and the first of a task makes its own.

    That is: one which shows itself as the own one does, and has the same value on the batch.
    """
    values = case.tasks.losses(outputs, targets)
    for task, known in case.losses.items():
        if task not in case.tasks.names:
            raise ValueError(f"losses has {task!r}, which is no task; {nearest(task, case.tasks.names)}")
        for place, (name, make) in enumerate(known.items()):
            if not re.fullmatch(r"[A-Za-z0-9-]+", name):
                raise ValueError(f"losses of {task!r}: a name is of letters, digits and -, got {name!r}")
            own = case.tasks[task].loss
            try:
                made = make()
                value = with_losses(case, {task: name}).tasks.losses(outputs, targets).get(task)
            except Exception as error:
                add_note(error, f"from losses[{task!r}][{name!r}]")
                raise
            if place == 0 and repr(made) != repr(own):
                raise ValueError(f"losses of {task!r}: the first must make the task's own {own!r}, got {made!r}")
            if place == 0 and value is not None and not torch.equal(value, values[task]):
                raise ValueError(
                    f"losses of {task!r}: the first must make the task's own {own!r}, which gives {values[task]:g} on "
                    f"a batch, got one that gives {value:g}"
                )


def _small_batch(case: Case) -> tuple[Any, dict[str, Tensor]]:
    train: Any = case.splits["train"]
    return case.collate([train[place] for place in range(min(SAMPLES, case.batch_size, len(train)))])
