"""Which addends are parts of a page: not each of hundreds, and penalties on many parameters as one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from equipoise.torch_private.autograd import number_of_outputs
from equipoise.watching.expressions import Expressions
from equipoise.watching.split import Addend, addends_of

_MANY = 32  # addends that get a pass each
_TOO_MANY = 3000  # of which no groups are made
_MOST = 0.9  # of them in one group: then it is a running sum, and no part


def few_addends(total: Tensor, gradient: Tensor | None, known: Expressions) -> list[Addend]:
    """As many as are worth a pass each: of a sum over hundreds, the sums in it that have names, else itself."""
    found = _merged_penalties(addends_of(total, gradient), known)
    if len(found) <= _MANY:
        return found
    groups = [one for each in groups_of(found, known) for one in each] if len(found) <= _TOO_MANY else []
    sizes = Counter(groups)
    if groups and max(sizes.values()) <= _MOST * len(found):
        found = addends_of(total, gradient, set(filter(None, groups)))
    return found if len(found) <= _MANY else addends_of(total, gradient, {total.grad_fn})


def groups_of(addends: Sequence[Addend], known: Expressions) -> list[list[Any]]:
    """By member: the node of the outermost named number of the script that it is in; no whole, which all are in."""
    members = [one for addend in addends for one in addend.members]
    single = {node for one in members for node in one.above if number_of_outputs(node) == 1}
    inside = [[node for node in one.above if node in single and known.name_of(node)] for one in members]
    whole = set(inside[0]).intersection(*inside[1:]) if len(inside) > 1 else set()
    outermost = iter([next((node for node in each if node not in whole), None) for each in inside])
    return [[next(outermost) for _ in addend.members] for addend in addends]


def penalties_of(addends: Sequence[Addend]) -> list[bool]:
    """Which are penalties: of parameters alone, beside others that are not."""
    found = [addend.is_penalty for addend in addends]
    return found if not all(found) else [False] * len(found)


def owners_of(addends: Sequence[Addend]) -> Counter[Any]:
    """To how many members each node leads."""
    return Counter(node for addend in addends for one in addend.members for node in one.above)


def own_node(member: Addend, owners: Counter[Any], known: Expressions) -> Any:
    """The node that has a name, on the way up from one member while it leads to no other."""
    way = [member.edge.node, *(node for node in reversed(member.above) if number_of_outputs(node) == 1)]
    return next((node for node in way if owners[node] < 2 and known.name_of(node)), None)


def _merged_penalties(addends: Sequence[Addend], known: Expressions) -> list[Addend]:
    """Penalties are one addend where the script sums them under a name, or has one name for all."""
    are = penalties_of(addends)
    if sum(are) < 2 or len(addends) > _TOO_MANY:
        return list(addends)
    groups, owners = [group for (group,) in groups_of(addends, known)], owners_of(addends)
    mixed = {None, *(g for g, is_one in zip(groups, are, strict=True) if not is_one or groups.count(g) == 1)}
    found: dict[Any, Addend] = {}
    for addend, group, is_one in zip(addends, groups, are, strict=True):
        key: Any = addend
        if is_one:
            key = group
            if group in mixed:
                node = own_node(addend, owners, known)
                key = known.name_of(node) if node is not None else ""
        found[key] = replace(found[key], also=(*found[key].also, addend)) if key in found else addend
    return list(found.values())
