"""The network of a table's case, and what of it follows from the data."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from equipoise.lab.cases.row_inputs import FittedInputs
from equipoise.lab.cases.target import LabelledTarget
from equipoise.lab.models.encoders import RowEncoder
from equipoise.lab.models.heads import MemberHead, SharedEncoder
from equipoise.lab.settings import MANY_TASKS

TEXT_ALONE: Mapping[str, Any] = {"hidden": 64, "dropout": 0.5}  # of its network, which overfits soon
MEMBERS = 4
MEMBERS_UP_TO = 10_000  # training rows: more, and text alone, are overfitted less, and a fourth of a batch teaches less


def members_for(inputs: Mapping[str, FittedInputs], rows: int, tasks: int) -> int:
    """Of the network; each task's gradient for their signs makes a step that compares many tasks half as long again."""
    few = rows <= MEMBERS_UP_TO and tasks <= MANY_TASKS
    return MEMBERS if few and not all(fitted.wide for fitted in inputs.values()) else 1


def network_words(inputs: Mapping[str, FittedInputs], members: int) -> str:
    """What in the network follows from the data."""
    shared = ["one second moment"] if any(fitted.wide for fitted in inputs.values()) else []
    return ", ".join([*([f"{members} members"] if members > 1 else []), *shared])


def model_maker(inputs: Mapping[str, FittedInputs], targets: Mapping[str, LabelledTarget], members: int) -> Any:
    """A function that makes the network with heads for some of the tasks."""

    def make_model(task_names: Sequence[str]) -> nn.Module:
        parts = {kind: fitted.make_part() for kind, fitted in inputs.items()}
        wide = [kind for kind, fitted in inputs.items() if fitted.wide]
        alone = TEXT_ALONE if len(wide) == len(parts) else {}
        encoder = RowEncoder(parts, wide=wide, members=members, **alone)
        heads = {name: MemberHead(target.make_head(encoder.width), members) for name, target in targets.items()}
        return SharedEncoder(encoder, {name: heads[name] for name in task_names})

    return make_model
