"""A case with another architecture on its own encoder and heads."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from torch import nn

from equipoise.lab.cases.case import Case
from equipoise.lab.models.architectures import ARCHITECTURES, build_architecture
from equipoise.names import nearest


def with_architecture(case: Case, name: str) -> Case:
    """The case with a network of this architecture; a network for one task alone stays the plain encoder and head.

    So single-task baselines are the same whatever the architecture that is compared with them.

    Args:
        case: Whose networks are ``SharedEncoder``s.
        name: One of ``ARCHITECTURES``.

    Raises:
        ValueError: If there is no such architecture, or it cannot take the case's encoder.
    """
    if name not in ARCHITECTURES:
        raise ValueError(f"no model {name!r}; {nearest(name, ARCHITECTURES)}")
    train: Any = case.splits["train"]
    inputs, _ = case.collate([train[place] for place in range(min(2, len(train)))])

    def make_model(task_names: Sequence[str]) -> nn.Module:
        if len(task_names) == 1:
            return case.model(task_names)
        return build_architecture(name, partial(case.model, task_names), inputs)

    try:
        make_model(case.tasks.names)
    except ValueError as error:
        raise ValueError(f"case {case.name}: {error}") from None
    return replace(case, name=f"{case.name}-{name}", title=f"{case.title}, by {name}", model=make_model)
