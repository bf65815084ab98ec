"""A scalar, read back from its graph to the addends that it was summed from."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

from equipoise.torch_private.autograd import number_of_outputs, output_metadata, reduction_of

# Operations whose gradient is linear in the incoming one and depends on nothing but constants: without "Backward0".
_LINEAR = {
    *("Add", "Sub", "Rsub", "Neg", "Sum", "Mean", "Stack", "Cat", "Unbind", "Split", "SplitWithSizes"),
    *("View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "Expand", "T", "Transpose", "Permute", "Alias"),
    *("Select", "Slice", "Index", "IndexSelect", "Gather", "Diagonal", "ToCopy", "Clone", "Repeat"),
}
_OF_PARAMETERS = {"Pow", "Abs", "Sqrt", "Norm", "LinalgVectorNorm", "Exp", "Log", "Clamp", "ClampMin", "MseLoss", "Mm"}
_BILINEAR = {"Mul", "Div", "Dot", "Mv", "Mm", "Lerp", "Where", "Addcmul"}  # linear if one operand alone has a gradient


_NONE, _MEAN, _SUM = range(3)  # ``at::Reduction``
_SMALL = 64  # nodes of a penalty on one parameter
_FEW = 32  # numbers and operations of learned weights


@dataclass(frozen=True, eq=False)
class Addend:
    """One part of a sum: an output of a node of the graph, and the gradient of the whole by it; ``also`` others."""

    edge: GradientEdge
    seed: Tensor
    _consumers: Mapping[Any, tuple[Any, Tensor | None]] = field(repr=False)  # of all: node -> its first, gradient by it
    also: tuple["Addend", ...] = ()

    @property
    def members(self) -> tuple["Addend", ...]:
        """Itself and what was merged with it."""
        return self, *self.also

    @property
    def above(self) -> dict[Any, Tensor | None]:
        """The nodes that led to all of it, with the gradients by their first outputs, the sum's first."""
        found = []
        node = self._consumers[self.edge.node][0]
        while node is not None:
            found.append((node, self._consumers[node][1]))
            node = self._consumers[node][0]
        common = [other.above for other in self.also]
        return {node: seed for node, seed in reversed(found) if all(node in each for each in common)}

    @property
    def factor(self) -> float | None:
        """What it is multiplied by in the whole; ``None`` where its numbers have several."""
        factors = {_one_number(one.seed) for one in self.members}
        return factors.pop() if len(factors) == 1 else None

    @property
    def is_penalty(self) -> bool:
        """Whether it is computed from parameters alone, as weight decay by hand is: no data goes through layers."""
        return all(_is_of_parameters(one.edge.node) for one in self.members)

    def factor_of(self, node: Any) -> float | None:
        """The same of a node that led to it."""
        return _one_number(self._consumers[node][1])

    def terms(self, scaling_all: Collection[Any]) -> int | None:
        """How many losses of a batch it is the sum of, 1 if it is their mean; ``None`` where the graph does not tell.

        A sum is one of PyTorch's own losses over two or more samples, which nothing divides or weighs but nodes
        ``scaling_all`` addends: what is divided by a count is a mean, and a sum by hand may be a penalty.
        """
        node = self.edge.node
        if _kind(node) == "Mean" or reduction_of(node) == _MEAN:
            return 1
        edge = node.next_functions[0] if node.next_functions else (None, 0)
        is_sum = reduction_of(node) == _SUM
        if _kind(node) == "Sum":
            is_sum = reduction_of(edge[0]) == _NONE
        if not is_sum or edge[0] is None:
            return None
        shape = output_metadata(edge).shape
        if any(_kind(one) in {"Mean", *_BILINEAR} for one in self.above if one not in scaling_all):
            return None
        of_classes = shape[1] if _kind(node).startswith("NllLoss") and len(shape) > 1 else 1
        return prod(shape) // of_classes if shape and shape[0] > 1 else None


def _one_number(gradient: Tensor | None) -> float | None:
    if gradient is None:
        return None
    first = gradient.flatten()[0]
    return float(first) if bool((gradient == first).all()) else None


@torch.no_grad()
def addends_of(total: Tensor, gradient: Tensor | None = None, closed: Collection[Any] = ()) -> list[Addend]:
    """The addends of ``total``, read through sums, stacks, means of stacks and constant factors, the first made first.

    A mean or a sum over what is no scalar is a loss's own: it is an addend, unless it is the only one and lies over a
    sum (``(bce + dice).mean()``), not over a difference, which is one formula. A product with learned weights, as in
    uncertainty weighting, is read by the product rule: gradients of addends still sum to the whole's. Nodes are called
    and nothing of the graph is freed; hooks do not run.

    Args:
        total: One number, with a graph.
        gradient: What its backward pass starts with, 1 by default.
        closed: Nodes that are addends whatever lies below.

    Returns:
        The addends; ``total`` alone if it is no sum. ``sum of <seed, addend>``, plus constants, is the total.
    """
    root = get_gradient_edge(total)
    seed = torch.ones_like(total) if gradient is None else gradient.detach()
    found = _read(root, seed, _opener(closed, deep=False))
    if len(found) == 1:
        deeper = _read(root, seed, _opener(closed, deep=True))
        if len(deeper) > 1 and not any(bool((one.seed * seed < 0).any()) for one in deeper):
            found = deeper
    return found


def _read(root: GradientEdge, seed: Tensor, opens: Callable[[Any], bool]) -> list[Addend]:
    seeds: dict[Any, dict[int, Tensor]] = {root.node: {root.output_nr: seed}}
    consumers: dict[Any, tuple[Any, Tensor | None]] = {root.node: (None, None)}
    found: list[Addend] = []
    for node in _consumers_first(root.node, opens):
        given = seeds.pop(node)
        if not opens(node):
            found += [Addend(GradientEdge(node, number), seed, consumers) for number, seed in given.items()]
            continue
        consumers[node] = consumers[node][0], given.get(0)
        for (below, number), seed in _below(node, given):
            of_node = seeds.setdefault(below, {})
            consumers.setdefault(below, (node, None))
            of_node[number] = of_node[number] + seed if number in of_node else seed
    return found


def _consumers_first(root: Any, opens: Callable[[Any], bool]) -> list[Any]:
    """The root and what lies below nodes that open, each after all that take it."""
    order: list[Any] = []
    seen, stack = set[Any](), [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            if opens(node):
                stack += [(below, False) for below, _ in _inputs(node)]
    return order[::-1]


def _opener(closed: Collection[Any], deep: bool) -> Callable[[Any], bool]:
    """Whether a node is linear, and so is all below it down to single numbers; with ``deep``, to any end."""
    known: dict[Any, bool] = dict.fromkeys(closed, False)

    def opens(node: Any) -> bool:
        ways = [node]  # no recursion: a sum may be thousands of operations deep
        while ways:
            one = ways[-1]
            if one not in known:
                below = [] if deep or not _is_linear(one) else [e[0] for e in _inputs(one) if not _is_end(e)]
                unknown = next((each for each in below if each not in known), None)
                if unknown is not None and all(known.get(each, True) for each in below):
                    ways.append(unknown)
                    continue
                known[one] = _is_linear(one) and all(known.get(each, False) for each in below)
            ways.pop()
        return known[node]

    return opens


def _is_end(edge: tuple[Any, int]) -> bool:
    return prod(output_metadata(edge).shape) == 1 or _is_learned_weight(edge)


def _is_of_parameters(root: Any) -> bool:
    nodes, ways = {root}, [root]
    while ways:
        node = ways.pop()
        kind, inputs = _kind(node), _inputs(node)
        is_known = kind in _OF_PARAMETERS or kind in _LINEAR or kind in _BILINEAR or kind == "AccumulateGrad"
        is_layer = kind in ("Mm", "Mv") and len(inputs) < 2
        if not is_known or is_layer or len(nodes) > _SMALL:
            return False
        below = [one for one, _ in inputs if one not in nodes]
        nodes.update(below)
        ways += below
    return True


def _kind(node: Any) -> str:
    return type(node).__name__.partition("Backward")[0]


def _is_linear(node: Any) -> bool:
    kind = _kind(node)
    if kind in _LINEAR:
        return True
    if kind == "Div" and not _is_divided_by_a_weight(*node.next_functions):
        return False
    return kind in _BILINEAR and (len(_inputs(node)) == 1 or any(map(_is_learned_weight, _inputs(node))))


def _is_divided_by_a_weight(numerator: tuple[Any, int], denominator: tuple[Any, int] = (None, 0)) -> bool:
    return numerator[0] is not None and (denominator[0] is None or _is_learned_weight(denominator))


def _is_learned_weight(edge: tuple[Any, int]) -> bool:
    """Whether a few operations on a few learned numbers give it, which are few themselves."""
    if prod(output_metadata(edge).shape) > _FEW:
        return False
    nodes, ways = {edge[0]}, [edge[0]]
    while ways:
        for below, _ in _inputs(ways.pop()):
            if below not in nodes:
                nodes.add(below)
                ways.append(below)
        if len(nodes) > _FEW:
            return False
    return all(node.variable.numel() <= _FEW for node in nodes if hasattr(node, "variable"))


def _inputs(node: Any) -> list[tuple[Any, int]]:
    return [edge for edge in node.next_functions if edge[0] is not None]


def _below(node: Any, seeds: dict[int, Tensor]) -> Iterator[tuple[tuple[Any, int], Tensor]]:
    """The inputs of a linear node, with their gradients."""
    gradients = node(*(seeds.get(number) for number in range(number_of_outputs(node))))
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    for edge, gradient in zip(node.next_functions, gradients, strict=True):
        if edge[0] is not None and gradient is not None:
            yield edge, gradient
