"""Which tasks reach which parameters, a line for each part of a model whose parameters share one fate."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from torch import Tensor

from equipoise.doctor.report import ParameterReach


def reach_of(
    parameters: Mapping[str, Tensor],
    reached: Mapping[Tensor, int],
    tasks: tuple[str, ...],
    given: Collection[Tensor],
    held: Collection[Tensor] | None,
) -> list[ParameterReach]:
    """One line per part.

    Args:
        parameters: By dotted name.
        reached: Parameter -> bits of the tasks whose losses reach it.
        tasks: Their names.
        given: What the balancer balances.
        held: What the optimiser holds; ``None`` if nobody knows.
    """
    lines = []
    for name, parameter in parameters.items():
        mask = reached.get(parameter, 0)
        reaching = tuple(task for k, task in enumerate(tasks) if mask >> k & 1)
        is_held = None if held is None else parameter in held
        frozen = not parameter.requires_grad
        lines.append(ParameterReach(name, reaching, frozen, is_held, parameter in given, parameter.numel()))
    return _compressed(lines, depth=0)


def _compressed(lines: list[ParameterReach], depth: int) -> list[ParameterReach]:
    """Lines below one node of the tree of names, joined where all agree."""
    if len(lines) == 1:
        return lines
    first = lines[0]
    if all(replace(line, name=first.name, numbers=first.numbers) == first for line in lines):
        place = [*first.name.split(".")[:depth], "*"]
        return [replace(first, name=".".join(place), numbers=sum(line.numbers for line in lines))]
    branches: dict[str, list[ParameterReach]] = {}
    for line in lines:
        branches.setdefault(line.name.split(".")[depth], []).append(line)
    return [joined for branch in branches.values() for joined in _compressed(branch, depth + 1)]
