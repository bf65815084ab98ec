"""A look at one backward pass that is about to run, from the graph alone."""

import gc
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.torch_private.autograd import suppressed_hooks
from equipoise.watching.expressions import Expressions, Number
from equipoise.watching.seen import LayerSeen, PartSeen
from equipoise.watching.split import Addend

_WITH_UNITS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)  # a row of the weight is an output

_Rows = list[dict[Tensor, Tensor]]  # for each part: leaf -> gradient


def leaves_below(addends: Sequence[Addend]) -> list[Tensor]:
    """Every leaf that a part may have a gradient by."""
    seen: set[Any] = set()
    ways = [addend.edge.node for addend in addends]
    leaves: dict[Tensor, None] = {}
    while ways:
        node = ways.pop()
        if node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            leaves[node.variable] = None
        ways += [below for below, _ in node.next_functions if below is not None]
    return list(leaves)


def rows_of(addends: Sequence[Addend], leaves: Sequence[Tensor]) -> _Rows:
    """Each part's gradient by the leaves, one pass per part; the graph lives on, and hooks of leaves do not run."""
    rows: _Rows = []
    with suppressed_hooks(leaves), unchanged():
        for addend in addends:
            given = torch.autograd.grad([addend.edge], leaves, [addend.seed], retain_graph=True, allow_unused=True)
            dense = [g if g is None or not g.is_sparse else g.to_dense() for g in given]
            rows.append({leaf: g for leaf, g in zip(leaves, dense, strict=True) if g is not None})
    return rows


@contextmanager
def unchanged() -> Iterator[None]:
    """Give back random states, and the buffers of all modules: a checkpoint runs a part of the forward pass again."""
    buffers = [buffer for module in _modules() for buffer in module.buffers(recurse=False)]
    kept = [buffer.detach().clone() for buffer in buffers]
    devices = {buffer.device.index for buffer in buffers if buffer.is_cuda}
    try:
        with torch.random.fork_rng(sorted(device for device in devices if device is not None)):
            yield
    finally:
        for buffer, before in zip(buffers, kept, strict=True):
            if not torch.equal(buffer, before):
                buffer.data.copy_(before)  # by what autograd counts as no change: its graph may have saved the buffer


def names_of(leaves: Sequence[Tensor]) -> dict[Tensor, str]:
    """Their dotted names in the largest modules that hold them; ``leaf[i]`` for those in none."""
    modules = _modules()
    inside = {id(child) for module in modules for child in module.children()}
    roots = [module for module in modules if id(module) not in inside]
    names: dict[Tensor, str] = {}
    wanted = set(leaves)
    held = [(root, [(n, p) for n, p in root.named_parameters() if p in wanted]) for root in roots]
    held = sorted((one for one in held if one[1]), key=lambda one: -len(one[1]))
    kinds = [type(root).__name__ for root, _ in held]
    for i, (_, parameters) in enumerate(held):
        place = kinds[:i].count(kinds[i])
        prefix = "" if len(held) == 1 else f"{kinds[i]}{f'[{place}]' if kinds.count(kinds[i]) > 1 else ''}."
        for name, parameter in parameters:
            names.setdefault(parameter, prefix + name)
    strangers = [leaf for leaf in leaves if leaf not in names]
    names.update({leaf: f"leaf[{i}]" for i, leaf in enumerate(strangers)})
    return names


def _modules() -> list[nn.Module]:
    # by its type: a proxy's attribute of that name may import or compute
    return [one for one in gc.get_objects() if issubclass(type(one), nn.Module)]


def parts_of(addends: Sequence[Addend], rows: _Rows, known: Expressions, scale: float) -> list[PartSeen]:
    """One for each addend."""
    groups = _groups(addends, known)
    alone = [group if groups.count(group) == 1 else None for group in groups]
    numbers = [known.of(a.edge.node) if one is None else one for a, one in zip(addends, alone, strict=True)]
    factors = [a.factor if one is None else a.factor_of(one.node) for a, one in zip(addends, alone, strict=True)]
    names = _unique([number.name if number else "" for number in numbers])
    within = [group.name if group and not one else "" for group, one in zip(groups, alone, strict=True)]
    own = _own(rows)
    return [
        PartSeen(
            name,
            group or name,
            None if number is None else float(number.value),
            None if factor is None else factor / scale,
            type(addend.edge.node).__name__.partition("Backward")[0],
            sum(leaf.numel() for leaf in row),
            math.sqrt(sum(_square(row[leaf]) for leaf in row if leaf in mine)) / scale,
        )
        for name, group, number, factor, addend, row, mine in zip(
            names, within, numbers, factors, addends, rows, own, strict=True
        )
    ]


def _groups(addends: Sequence[Addend], known: Expressions) -> list[Number | None]:
    """The outermost named number of the script in which each is; not the whole, in which all are."""
    inside = [[number for node in a.above if (number := known.of(node)) and number.name] for a in addends]
    whole = {number for number in inside[0] if all(number in each for each in inside)} if len(inside) > 1 else set()
    return [next((number for number in each if number not in whole), None) for each in inside]


def _unique(names: Sequence[str]) -> list[str]:
    """With a number where one is empty or there twice."""
    named = [name or f"loss[{i}]" for i, name in enumerate(names)]
    return [n if named.count(n) == 1 else f"{n}[{named[:i].count(n)}]" for i, n in enumerate(named)]


def _own(rows: _Rows) -> list[set[Tensor]]:
    reaching: dict[Tensor, int] = {}
    for row in rows:
        for leaf in row:
            reaching[leaf] = reaching.get(leaf, 0) + 1
    return [{leaf for leaf in row if reaching[leaf] == 1} for row in rows]


def layers_of(rows: _Rows, names: Mapping[Tensor, str], scale: float) -> list[LayerSeen]:
    """Inner products of the parts' gradients by each innermost module."""
    units = {m.weight for m in _modules() if isinstance(m, _WITH_UNITS) and isinstance(m.weight, Tensor)}
    places: dict[str, list[Tensor]] = {}
    for leaf, name in names.items():
        places.setdefault(name.rpartition(".")[0] or name, []).append(leaf)
    layers = []
    for place, leaves in places.items():
        parts = [k for k, row in enumerate(rows) if any(leaf in row for leaf in leaves)]
        if not parts:
            continue
        gramian = torch.zeros(len(rows), len(rows), dtype=torch.float64, device="cpu")
        dead = outputs = 0
        for leaf in leaves:
            found = {k: rows[k][leaf].detach().flatten() / scale for k in parts if leaf in rows[k]}
            if not found:
                continue
            each = torch.stack(list(found.values())).double()
            at = torch.tensor(list(found), device="cpu")
            gramian[at[:, None], at] += (each @ each.T).cpu()
            if leaf in units:
                outputs += leaf.shape[0]
                dead += int((each.reshape(len(found), leaf.shape[0], -1) == 0).all(2).all(0).sum())
        norms = gramian.diagonal().sqrt().tolist()
        numbers = sum(leaf.numel() for leaf in leaves)
        layers.append(LayerSeen(place, numbers, parts, norms, gramian.tolist(), dead, outputs))
    return layers


def shared_gramian(rows: _Rows, scale: float) -> list[list[float]]:
    """[K, K] by the leaves that two parts or more reach."""
    gramian = torch.zeros(len(rows), len(rows), dtype=torch.float64, device="cpu")
    for leaf in {leaf: None for row in rows for leaf in row}:
        found = {k: row[leaf].detach().flatten() / scale for k, row in enumerate(rows) if leaf in row}
        if len(found) > 1:
            each = torch.stack(list(found.values())).double()
            at = torch.tensor(list(found), device="cpu")
            gramian[at[:, None], at] += (each @ each.T).cpu()
    return gramian.tolist()


def _square(gradient: Tensor) -> float:
    return float(gradient.detach().double().square().sum())
