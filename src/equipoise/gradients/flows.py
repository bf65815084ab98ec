"""Where gradients in a region of a node's output lead to: never less than the region of its operands that they reach.

Known are the nodes that join, that take a part, that only rearrange, and those that are elementwise.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import torch

from equipoise.gradients.boxes import Box, between, everywhere, replaced, reshaped, shifted, unbroadcast
from equipoise.torch_private.autograd import is_known_to_be_hidden, output_metadata, saved

Region = Box | None  # ``None`` is everywhere
Pieces = Mapping[tuple[int, Region], int]  # (number of the output, region there) -> bits of the losses
Edges = Sequence[tuple[Any, int]]
Flow = Callable[[Any, Pieces, Edges], Iterable[tuple[int, Region, int]]]  # operand, region there, bits

_LISTED = 64  # indices that are read one by one


def _shape(edge: tuple[Any, int]) -> Sequence[int] | None:
    """The shape of the tensor that an edge leads to; ``None`` if there is none of which we know."""
    if edge[0] is None:
        return None
    like = output_metadata(edge)
    return None if like.is_nested_tensor else tuple(like.shape)


def _elementwise(node: Any, pieces: Pieces, edges: Edges) -> Iterator[tuple[int, Region, int]]:
    """Each number of the output comes from one number of each operand, which may have been broadcast."""
    for operand, edge in enumerate(edges):
        into = _shape(edge)
        for (number, region), bits in pieces.items():
            size = _shape((node, number))
            if into is None or region is None or size is None or not _broadcasts(into, size):
                yield operand, None, bits
            else:
                yield operand, unbroadcast(region, into), bits


def _broadcasts(shape: Sequence[int], to: Sequence[int]) -> bool:
    if len(shape) > len(to):
        return False
    return all(size in (1, other) for size, other in zip(reversed(shape), reversed(to), strict=False))


def _cat(node: Any, pieces: Pieces, edges: Edges) -> Iterator[tuple[int, Region, int]]:
    """One operand after the other along a dimension; the size of one that needs no gradient is not known."""
    size = _shape((node, 0))
    assert size is not None
    dim = saved(node, "dim") % len(size)
    shapes = [_shape(edge) for edge in edges]
    sizes = [None if shape is None else shape[dim] if len(shape) == len(size) else 0 for shape in shapes]
    lows = _lows(sizes, size[dim])
    for (_, region), bits in pieces.items():
        for operand, (low, length) in enumerate(zip(lows, sizes, strict=True)):
            if region is None or low is None or length is None or len(shapes[operand] or ()) != len(size):
                yield operand, None, bits
            elif low <= region[dim][-1] and region[dim][0] < low + length:
                yield operand, replaced(region, dim, shifted(between(region[dim], low, low + length), -low)), bits


def _lows(sizes: Sequence[int | None], total: int) -> list[int | None]:
    """Where each of several operands begins, some of unknown size: counted from the nearer end that is known."""
    lows: list[int | None] = [None] * len(sizes)
    low, high = 0, total
    for operand, size in enumerate(sizes):
        lows[operand] = low
        if size is None:
            break
        low += size
    for operand, size in reversed(list(enumerate(sizes))):
        if size is None:
            break
        high -= size
        lows[operand] = high
    return lows


def _stack(node: Any, pieces: Pieces, edges: Edges) -> Iterator[tuple[int, Region, int]]:
    size = _shape((node, 0))
    assert size is not None
    dim = saved(node, "dim") % len(size)
    for (_, region), bits in pieces.items():
        for operand in range(len(edges)) if region is None else region[dim]:
            yield operand, None if region is None else (*region[:dim], *region[dim + 1 :]), bits


def _of_one(change: Callable[[Any, int, Box, Sequence[int]], Iterable[Region]], is_cut: bool = False) -> Flow:
    """The flow of a node with one operand of which ``change`` knows what a box of an output leads to."""

    def flow(node: Any, pieces: Pieces, edges: Edges) -> Iterator[tuple[int, Region, int]]:
        into = _shape(edges[0])
        for (number, region), bits in pieces.items():
            output = output_metadata((node, number))
            if into is None or output.is_nested_tensor or (region is None and not is_cut):
                yield 0, None, bits
                continue
            if region is None:
                region = everywhere(output.shape)
            for found in change(node, number, region, into):
                yield 0, found if found != everywhere(into) else None, bits

    return flow


def _select(node: Any, number: int, box: Box, into: Sequence[int]) -> Iterator[Region]:
    dim = saved(node, "dim") % len(into)
    place = saved(node, "index") % into[dim]
    yield (*box[:dim], range(place, place + 1), *box[dim:])


def _slice(node: Any, number: int, box: Box, into: Sequence[int]) -> Iterator[Region]:
    dim = saved(node, "dim") % len(into)
    taken = range(into[dim])[saved(node, "start") : saved(node, "end") : saved(node, "step")]
    places = box[dim]
    yield replaced(box, dim, taken[places.start : places.stop : places.step])


def _split(node: Any, number: int, box: Box, into: Sequence[int]) -> Iterator[Region]:
    dim = saved(node, "dim") % len(into)
    yield replaced(box, dim, shifted(box[dim], number * saved(node, "split_size")))


def _split_with_sizes(node: Any, number: int, box: Box, into: Sequence[int]) -> Iterator[Region]:
    dim = saved(node, "dim") % len(into)
    yield replaced(box, dim, shifted(box[dim], sum(saved(node, "split_sizes")[:number])))


def _unbind(node: Any, number: int, box: Box, into: Sequence[int]) -> Iterator[Region]:
    dim = saved(node, "dim") % len(into)
    yield (*box[:dim], range(number, number + 1), *box[dim:])


def _index(node: Any, number: int, box: Box, into: Sequence[int]) -> Iterator[Region]:
    """One index alone: numbers along a dimension, or a mask over some."""
    if is_known_to_be_hidden(node):
        yield None  # to look would run the hook
        return
    given = [(place, index) for place, index in enumerate(saved(node, "indices")) if index is not None]
    (place, index), *others = given
    if others:
        yield None
    elif index.dtype in (torch.bool, torch.uint8):
        masked = everywhere(into[place : place + index.dim()])
        yield (*box[:place], *masked, *box[place + 1 :])
    elif index.dim() == 1:
        yield from _taken(index, place, box, into)
    else:
        yield (*box[:place], range(into[place]), *box[place + index.dim() :])


def _index_select(node: Any, number: int, box: Box, into: Sequence[int]) -> Iterator[Region]:
    if is_known_to_be_hidden(node) or not into:
        yield None
    else:
        yield from _taken(saved(node, "index"), saved(node, "dim") % len(into), box, into)


def _taken(index: Any, dim: int, box: Box, into: Sequence[int]) -> Iterator[Region]:
    """What indices [n] along a dimension take; they are read where that waits for no device."""
    if type(index) is not torch.Tensor or not index.is_cpu or index.numel() > _LISTED:
        yield replaced(box, dim, range(into[dim]))
        return
    listed: list[int] = index.reshape(-1).tolist()
    for place in sorted({listed[number] % into[dim] for number in box[dim]}):
        yield replaced(box, dim, range(place, place + 1))


def _view(node: Any, number: int, box: Box, into: Sequence[int]) -> Iterator[Region]:
    size = _shape((node, 0))
    assert size is not None
    yield reshaped(box, size, into)


def _swap(node: Any, number: int, box: Box, into: Sequence[int]) -> Iterator[Region]:
    places = list(box)
    if places:
        one, other = saved(node, "dim0") % len(box), saved(node, "dim1") % len(box)
        places[one], places[other] = places[other], places[one]
    yield tuple(places)


def _transpose(node: Any, number: int, box: Box, into: Sequence[int]) -> Iterator[Region]:
    yield box[::-1]


def _permute(node: Any, number: int, box: Box, into: Sequence[int]) -> Iterator[Region]:
    places = dict(zip((dim % len(into) for dim in saved(node, "dims")), box, strict=True))
    yield tuple(places[dim] for dim in range(len(into)))


def _over(node: Any, into: Sequence[int]) -> set[int]:
    """The dimensions over which a node reduces, or along which it mixes."""
    dim = saved(node, "dim")
    dims: Sequence[int] = () if dim is None else (dim,) if isinstance(dim, int) else dim
    return {dim % max(len(into), 1) for dim in dims} or set(range(len(into)))


def _reduce(node: Any, number: int, box: Box, into: Sequence[int]) -> Iterator[Region]:
    over = _over(node, into)
    kept = [places for dim, places in enumerate(box) if dim not in over] if saved(node, "keepdim") else list(box)
    along = iter(kept)
    yield tuple(range(size) if dim in over else next(along) for dim, size in enumerate(into))


def _mix(node: Any, number: int, box: Box, into: Sequence[int]) -> Iterator[Region]:
    over = _over(node, into)
    yield tuple(range(size) if dim in over else box[dim] for dim, size in enumerate(into))


CUTS: dict[str, Flow] = {
    "SelectBackward0": _of_one(_select, is_cut=True),
    "SliceBackward0": _of_one(_slice, is_cut=True),
    "SplitBackward0": _of_one(_split, is_cut=True),
    "UnsafeSplitBackward0": _of_one(_split, is_cut=True),
    "SplitWithSizesBackward0": _of_one(_split_with_sizes, is_cut=True),
    "UnsafeSplitWithSizesBackward0": _of_one(_split_with_sizes, is_cut=True),
    "UnbindBackward0": _of_one(_unbind, is_cut=True),
    "IndexBackward0": _of_one(_index, is_cut=True),
    "IndexSelectBackward0": _of_one(_index_select, is_cut=True),
}
JOINS: dict[str, Flow] = {"CatBackward0": _cat, "StackBackward0": _stack}
_VIEWS: dict[str, Flow] = {
    "ViewBackward0": _of_one(_view),
    "UnsafeViewBackward0": _of_one(_view),
    "ReshapeAliasBackward0": _of_one(_view),
    "SqueezeBackward0": _of_one(_view),
    "SqueezeBackward1": _of_one(_view),
    "SqueezeBackward2": _of_one(_view),
    "UnsqueezeBackward0": _of_one(_view),
    "TBackward0": _of_one(_transpose),
    "TransposeBackward0": _of_one(_swap),
    "PermuteBackward0": _of_one(_permute),
    "SumBackward1": _of_one(_reduce),
    "MeanBackward1": _of_one(_reduce),
    "LogsumexpBackward0": _of_one(_reduce),
    "LinalgVectorNormBackward0": _of_one(_reduce),
    "AmaxBackward0": _of_one(_reduce),
    "AminBackward0": _of_one(_reduce),
    "MaxBackward0": _of_one(_reduce),
    "MinBackward0": _of_one(_reduce),
    "SoftmaxBackward0": _of_one(_mix),
    "LogSoftmaxBackward0": _of_one(_mix),
    "CumsumBackward0": _of_one(_mix),
}
_ELEMENTWISE = re.compile(
    "("
    "Abs|Add|Addcdiv|Addcmul|Alias|Atan|BinaryCrossEntropy|BinaryCrossEntropyWithLogits|Celu|Clamp|"
    "ClampMax|ClampMin|Clone|Cos|Cosh|Div|Elu|Erf|Exp|Expand|Expm1|Gelu|Hardsigmoid|Hardswish|Hardtanh|"
    "HuberLoss|LeakyRelu|Lerp|Log|Log10|Log1P|Log2|LogSigmoid|MaskedFill|Maximum|Minimum|Mish|MseLoss|Mul|"
    "NanToNum|NativeDropout|Neg|Pow|PreluKernel|Reciprocal|Relu|Rsqrt|Rsub|Sigmoid|Silu|Sin|Sinh|"
    "SmoothL1Loss|SoftMarginLoss|Softplus|Softshrink|Sqrt|Sub|Tan|Tanh|Threshold|ToCopy|Where"
    r")Backward\d"  # the number is PyTorch's: a function of a user's of that name has none
)


@cache
def flow_of(kind: type) -> Flow | None:
    """How gradients flow through a kind of node; ``None`` where all that is known is that they do."""
    name = kind.__name__
    found = CUTS.get(name) or JOINS.get(name) or _VIEWS.get(name)
    return found or (_elementwise if _ELEMENTWISE.fullmatch(name) else None)


@cache
def is_cut(kind: type) -> bool:
    """Whether a kind of node takes a part of its operand."""
    return kind.__name__ in CUTS


@cache
def is_join(kind: type) -> bool:
    """Whether a kind of node puts its operands beside each other."""
    return kind.__name__ in JOINS
