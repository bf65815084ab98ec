"""A look at one backward pass that is about to run, from the graph alone."""

import gc
import math
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.torch_private.autograd import (
    is_of_a_script,
    saving_runs_hooks,
    suppressed_hooks,
)
from equipoise.torch_private.compiling import allows_several_passes
from equipoise.torch_private.processes import ddp_of, reduces_in_its_next_pass
from equipoise.watching.expressions import Expressions, NamedNumber
from equipoise.watching.grouping import groups_of, own_node, owners_of, penalties_of
from equipoise.watching.seen import LayerSeen, PartSeen
from equipoise.watching.split import Addend

_WITH_UNITS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)  # a row of the weight is an output

_Rows = list[dict[Tensor, Tensor]]  # for each part: leaf -> gradient


def nodes_below(roots: Sequence[Tensor]) -> list[Any]:
    """Every node of the graph."""
    ways: list[Any] = [root.grad_fn for root in roots]
    seen: dict[Any, None] = dict.fromkeys(ways)
    while ways:
        for below, _ in ways.pop().next_functions:
            if below is not None and below not in seen:
                seen[below] = None
                ways.append(below)
    return list(seen)


def modules_and_optimizers() -> tuple[list[nn.Module], list[torch.optim.Optimizer]]:
    """All that the process holds."""
    # by its type: a proxy's attribute of that name may import or compute
    found = [one for one in gc.get_objects() if issubclass(type(one), nn.Module | torch.optim.Optimizer)]
    modules = [one for one in found if isinstance(one, nn.Module)]
    return modules, [one for one in found if isinstance(one, torch.optim.Optimizer)]


def leaves_of(nodes: Sequence[Any], optimizers: Sequence[torch.optim.Optimizer]) -> list[Tensor]:
    """Every leaf that is trained: parameters, and what an optimiser holds; all leaves where none of them is.

    One that was frozen after the forward pass, as the other network of a GAN, is none.
    """
    leaves = [node.variable for node in nodes if type(node).__name__ == "AccumulateGrad"]
    leaves = [leaf for leaf in leaves if leaf.requires_grad]
    held = {id(leaf) for one in optimizers for group in one.param_groups for leaf in group["params"]}
    return [leaf for leaf in leaves if isinstance(leaf, nn.Parameter) or id(leaf) in held] or leaves


def idle_of(leaves: Sequence[Tensor], optimizers: Sequence[torch.optim.Optimizer]) -> list[Tensor]:
    """What an optimiser of some of the leaves holds, and no part reaches."""
    reached, held = {id(leaf) for leaf in leaves}, dict[int, Tensor]()
    for one in optimizers:
        own = {id(leaf): leaf for group in one.param_groups for leaf in group["params"]}
        held |= own if reached & own.keys() else {}  # others belong to what this backward does not train
    return [leaf for place, leaf in held.items() if place not in reached and leaf.requires_grad]


def rows_of(addends: Sequence[Addend], leaves: Sequence[Tensor]) -> _Rows:
    """Each part's gradient by the leaves, one pass per part; the graph lives on, and hooks of leaves do not run."""
    rows: _Rows = []
    with suppressed_hooks(leaves):
        for addend in addends:
            edges, seeds = [one.edge for one in addend.members], [one.seed for one in addend.members]
            given = torch.autograd.grad(edges, leaves, seeds, retain_graph=True, allow_unused=True)
            dense = [g if g is None or not g.is_sparse else g.to_dense() for g in given]
            rows.append({leaf: g for leaf, g in zip(leaves, dense, strict=True) if g is not None})
    return rows


@contextmanager
def unchanged(nodes: Sequence[Any], modules: Sequence[nn.Module]) -> Iterator[None]:
    """Give back random states, what the script's own functions keep for their backward, and buffers of all modules.

    A checkpoint runs a part of the forward pass again, and a function may write into what it kept.
    """
    contexts = [node for node in nodes if is_of_a_script(node)]
    before = [dict(vars(node)) for node in contexts]
    containers = [(v, v.copy()) for each in before for v in each.values() if type(v) in (list, dict, set)]
    saved = [one for node in contexts if not saving_runs_hooks(node) for one in node.saved_tensors]
    tensors = [one for module in modules for one in module.buffers(recurse=False)]
    tensors += [one for one in [*saved, *(v for each in before for v in each.values())] if isinstance(one, Tensor)]
    kept = [(tensor, tensor.detach().clone()) for tensor in tensors if _is_plain(tensor)]
    devices = {tensor.device for module in modules for tensor in module.parameters(recurse=False) if tensor.is_cuda}
    python, numpy = random.getstate(), sys.modules.get("numpy.random")
    state = None if numpy is None else numpy.get_state()
    try:
        with torch.random.fork_rng(sorted(device.index for device in devices)):
            yield
    finally:
        random.setstate(python)
        if numpy is not None:
            numpy.set_state(state)
        for node, values in zip(contexts, before, strict=True):
            vars(node).clear()
            vars(node).update(values)
        for container, items in containers:
            container.clear()
            container.extend(items) if isinstance(container, list) else container.update(items)
        for tensor, value in kept:
            if not torch.equal(tensor, value):
                tensor.data.copy_(value)  # by what autograd counts as no change: its graph may have saved it


def _is_plain(tensor: Tensor) -> bool:
    is_dense = tensor.layout == torch.strided and not tensor.is_meta and not tensor.is_quantized
    return is_dense and not nn.parameter.is_lazy(tensor)


def require_several_passes(nodes: Sequence[Any]) -> None:
    """Refuse a graph that the passes of a look would spoil for the script's own."""
    for node in nodes:
        kind = type(node).__name__
        if kind == "CompiledFunctionBackward" and not allows_several_passes(node):
            raise RuntimeError("a compiled part allows one backward pass only; eq.compile_safe() before torch.compile")
        if reduces_in_its_next_pass(ddp_of(node)):
            raise RuntimeError("DistributedDataParallel with static_graph reduces in its first pass; see a later one")
        if kind == "_SurrogateBackward":
            raise RuntimeError("a gradient method of equipoise balances these losses: look at them by eq.doctor(...)")


def names_of(leaves: Sequence[Tensor], modules: Sequence[nn.Module]) -> dict[Tensor, str]:
    """Their dotted names in the largest modules that hold them; ``leaf[i]`` for those in none."""
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


def parts_of(
    addends: Sequence[Addend], rows: _Rows, known: Expressions, scale: float, roots: Sequence[Tensor]
) -> list[PartSeen]:
    """One for each addend."""
    by_member = groups_of(addends, known)
    groups = [each[0] if len(set(each)) == 1 else None for each in by_member]
    members = [group for each in by_member for group in each]
    alone = [g if members.count(g) == len(a.members) else None for a, g in zip(addends, groups, strict=True)]
    owners = owners_of(addends)
    numbers = [_number_of(addend, group, owners, known) for addend, group in zip(addends, alone, strict=True)]
    factors = [a.factor if one is None else a.factor_of(one) for a, one in zip(addends, alone, strict=True)]
    whole = {root.grad_fn: NamedNumber("", root.detach()) for root in roots if root.numel() == 1}
    numbers = [one or whole.get(addend.edge.node) for one, addend in zip(numbers, addends, strict=True)]
    names = _unique(
        [
            (number.name if number else "") or "of parameters alone" * bool(a.also)
            for number, a in zip(numbers, addends, strict=True)
        ]
    )
    within = ["" if one or not group else known.name_of(group) for group, one in zip(groups, alone, strict=True)]
    own, scaling_all = _own(rows), set.intersection(*(set(addend.above) for addend in addends))
    return [
        PartSeen(
            name,
            group or name,
            None if number is None else float(number.value),
            None if factor is None else factor / scale,
            sum(leaf.numel() for leaf in row),
            math.sqrt(sum(_square(row[leaf]) for leaf in row if leaf in mine)) / scale,
            is_penalty,
            addend.terms(scaling_all),
            _weighted_twice(addend, known),
        )
        for name, group, number, factor, addend, row, mine, is_penalty in zip(
            names, within, numbers, factors, addends, rows, own, penalties_of(addends), strict=True
        )
    ]


def _number_of(addend: Addend, group: Any, owners: Counter[Any], known: Expressions) -> NamedNumber | None:
    if group is not None:
        return known.of(group)
    if not addend.also:
        return known.of(addend.edge.node, addend.edge.output_nr)
    each = [known.of(node) for one in addend.members if (node := own_node(one, owners, known)) is not None]
    names, values = {one.name for one in each if one}, [float(one.value) for one in each if one]
    return NamedNumber(names.pop(), sum(values)) if len(names) == 1 and len(values) == len(addend.members) else None


def _weighted_twice(addend: Addend, known: Expressions) -> list[str]:
    """Names, at two places of the script, of constants that multiply a part and are equal."""
    factors = [one for one in map(known.factor_in, addend.above) if one is not None and one.name]
    for i, one in enumerate(factors):
        for other in factors[:i]:
            if other.place != one.place and float(other.value) == float(one.value) not in (0.0, 1.0, -1.0):
                return [other.name, one.name]
    return []


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


def products_by_leaf(rows: _Rows, scale: float) -> dict[Tensor, Tensor]:
    """Inner products [K, K] of the parts' gradients by each leaf, in float64 on the host."""
    products: dict[Tensor, Tensor] = {}
    for leaf in {leaf: None for row in rows for leaf in row}:
        each, at = _gradients(rows, leaf, scale), torch.tensor(_reaching(rows, leaf), device="cpu")
        products[leaf] = torch.zeros(len(rows), len(rows), dtype=torch.float64, device="cpu")
        products[leaf][at[:, None], at] = (each @ each.T).cpu()
    return products


def layers_of(
    rows: _Rows,
    products: Mapping[Tensor, Tensor],
    names: Mapping[Tensor, str],
    modules: Sequence[nn.Module],
    scale: float,
) -> list[LayerSeen]:
    """The products by each innermost module, and which of its outputs are dead."""
    units = {m.weight for m in modules if isinstance(m, _WITH_UNITS) and isinstance(m.weight, Tensor)}
    places: dict[str, list[Tensor]] = {}
    for leaf, name in names.items():
        places.setdefault(name.rpartition(".")[0] or name, []).append(leaf)
    layers = []
    for place, leaves in places.items():
        reached = [leaf for leaf in leaves if leaf in products]
        if not reached:
            continue
        parts = sorted({k for leaf in reached for k in _reaching(rows, leaf)})
        gramian = torch.stack([products[leaf] for leaf in reached]).sum(dim=0)
        dead: list[int] = []
        outputs = 0
        for leaf in filter(units.__contains__, reached):
            is_dead = (_gradients(rows, leaf, scale).unflatten(1, (len(leaf), -1)) == 0).all(2).all(0)
            dead += [outputs + place for place in is_dead.nonzero().flatten().tolist()]
            outputs += len(leaf)
        norms = gramian.diagonal().sqrt().tolist()
        numbers = sum(leaf.numel() for leaf in leaves)
        layers.append(LayerSeen(place, numbers, parts, norms, gramian.tolist(), dead, outputs))
    return layers


def shared_gramian(rows: _Rows, products: Mapping[Tensor, Tensor]) -> list[list[float]]:
    """[K, K] by the leaves that two parts or more reach."""
    shared = [of_leaf for leaf, of_leaf in products.items() if len(_reaching(rows, leaf)) > 1]
    nothing = torch.zeros(len(rows), len(rows), dtype=torch.float64, device="cpu")
    return torch.stack([nothing, *shared]).sum(dim=0).tolist()


def _reaching(rows: _Rows, leaf: Tensor) -> list[int]:
    return [k for k, row in enumerate(rows) if leaf in row]


def _gradients(rows: _Rows, leaf: Tensor, scale: float) -> Tensor:
    """[parts that reach the leaf, its numbers], in float64."""
    return torch.stack([rows[k][leaf].detach().flatten() / scale for k in _reaching(rows, leaf)]).double()


def _square(gradient: Tensor) -> float:
    return float(gradient.detach().double().square().sum())
