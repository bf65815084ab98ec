"""K gradients from K losses: one backward pass after another, one batched pass, or batched from where tasks join."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from equipoise.gradients.graph import Graph
from equipoise.gradients.parts import part_of
from equipoise.plain import PLAIN, plain, zeros_like
from equipoise.torch_private.autograd import batched_call, gradients_past_hooks

Point = Tensor | GradientEdge  # what a loss is differentiated by
AT_ONCE = 64  # tasks of one batched pass: of more, gradients outgrow caches, and memory is not used again


@dataclass
class Found:
    """Gradients of some consecutive losses; ``None`` is a zero."""

    tasks: range
    shared: Sequence[Tensor | None]  # [tasks, ...] by each shared point; [...] of a pass of one task alone
    own: Sequence[Sequence[Tensor | None]]  # for each task, by its own leaves
    is_single: bool = False  # whether it is of such a pass


@dataclass
class Wanted:
    """What losses are differentiated by; each backward is seeded with ``incoming`` []."""

    losses: Sequence[Tensor]
    graph: Graph  # of the losses
    shared: Sequence[Point]  # by all losses
    own: Sequence[Sequence[Tensor]]  # by one loss each
    incoming: Tensor
    keep: bool  # leave the graph alive afterwards

    @property
    def tasks(self) -> range:
        """The losses' numbers."""
        return range(len(self.losses))


Route = Callable[[Wanted], Iterator[Found]]


def sequential(wanted: Wanted) -> Iterator[Found]:
    """One backward pass after another."""
    losses, shared, own = wanted.losses, wanted.shared, wanted.own
    with _capture_gradients(shared) as captured:
        for k, loss in enumerate(losses):
            points = [*shared, *own[k]]
            if points:
                retain = wanted.keep or k < len(losses) - 1
                yield _alone(k, _pass([loss], points, [seed(loss, wanted.incoming)], retain, captured), shared)


def harvested(wanted: Wanted) -> Iterator[Found]:
    """One whole backward pass per task, whose gradients are taken from ``.grad``; what was there before is put back.

    For FSDP2 (``fully_shard``), whose parameters are in no graph: its hooks fill ``.grad``.
    """
    for k, loss in enumerate(wanted.losses):
        points = [point for point in [*wanted.shared, *wanted.own[k]] if isinstance(point, Tensor)]
        with _without_gradients(wanted.graph.leaves):
            loss.backward(seed(loss, wanted.incoming), retain_graph=wanted.keep or k < len(wanted.losses) - 1)
            gradients = [point.grad for point in points]
        yield _alone(k, gradients, wanted.shared)


def batched(wanted: Wanted) -> Iterator[Found]:
    """One backward pass with K seeds.

    Every operation needs a batching rule, 0 · inf is NaN for all tasks, and PyTorch leaves a batched tensor
    in the ``.grad`` of an intermediate that retains it.
    """
    losses, shared, own = wanted.losses, wanted.shared, wanted.own
    points = [*shared, *dict.fromkeys(leaf for leaves in own for leaf in leaves)]
    with torch.enable_grad():
        stacked = torch.stack(list(losses))
    seeds = torch.eye(len(losses), dtype=stacked.dtype, device=stacked.device) * seed(stacked, wanted.incoming)
    with _capture_gradients(shared) as captured:
        gradients = _batched_pass([stacked], points, [seeds], wanted.keep, captured)
    by_leaf = dict(zip(points[len(shared) :], gradients[len(shared) :], strict=True))
    by_own = [apart([_of_task(by_leaf[leaf], k) for leaf in leaves]) for k, leaves in enumerate(own)]
    yield Found(range(len(losses)), gradients[: len(shared)], by_own)


def joined(wanted: Wanted) -> Iterator[Found]:
    """One backward pass from all losses to where they join, and from there one with K seeds, a block of them at a time.

    Above the join an edge to it belongs to one task, so one pass brings there what K would.
    """
    losses, graph, shared, own = wanted.losses, wanted.graph, wanted.shared, wanted.own
    joint, entries = graph.joint
    under = dict.fromkeys(leaf for mine in own for leaf in mine if graph.node_of[leaf] in joint)
    above = [leaf for mine in own for leaf in mine if leaf not in under]
    with _arriving(graph) as arrived:
        seeds = [seed(loss, wanted.incoming) for loss in losses]
        gradients = _pass(losses, [*above, *entries], seeds, wanted.keep, {})
    by_own = dict(zip(above, gradients, strict=False))
    points = [*shared, *under]
    for first in range(0, len(losses), AT_ONCE):
        tasks = wanted.tasks[first : first + AT_ONCE]
        keep = wanted.keep or tasks.stop < len(losses)
        stacked = {entry: _stack(by_task[tasks.start : tasks.stop]) for entry, by_task in arrived.items()}
        nonzero = {entry: brought for entry, brought in stacked.items() if brought is not None}
        with _capture_gradients(shared) as captured:
            gradients = _batched_pass(list(nonzero), points, list(nonzero.values()), keep, captured)
        below = dict(zip(under, gradients[len(shared) :], strict=True))
        by_task = [
            apart([_of_task(below[leaf], k - first) if leaf in below else by_own[leaf] for leaf in own[k]])
            for k in tasks
        ]
        yield Found(tasks, gradients[: len(shared)], by_task)


def seed(output: Tensor, incoming: Tensor) -> Tensor:
    """The incoming gradient [] as a seed for this output."""
    return incoming.to(device=output.device, dtype=output.dtype)


def differentiate(
    outputs: Sequence[Any], points: Sequence[Any], seeds: Sequence[Tensor], keep: bool
) -> Sequence[Tensor | None]:
    """Gradients of a weighted sum of the outputs by the points, past the tensor hooks of leaves; ``None`` is a zero.

    Tensor hooks of parameters run once, on the combined gradient; autograd would run them in every task's pass too.
    """
    gradients = gradients_past_hooks(outputs, points, seeds, keep)
    return gradients if PLAIN.issuperset(map(type, gradients)) else [None if g is None else plain(g) for g in gradients]


def weighted_pass(
    outputs: Sequence[Tensor], leaves: Sequence[Tensor], seeds: Sequence[Tensor], keep: bool
) -> list[Tensor]:
    """sum_k seeds[k] · gradient of outputs[k], by one backward pass."""
    if not leaves:
        return []
    if not outputs:
        return [zeros_like(leaf) for leaf in leaves]
    gradients = apart(differentiate(outputs, leaves, seeds, keep))
    return [zeros_like(leaf) if g is None else g for leaf, g in zip(leaves, gradients, strict=True)]


def apart(gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
    """The gradients of one pass, copies where an earlier one lies in the same memory.

    A sum hands one gradient to its operands, of which a view's is a view. ``.grad`` would take both as they are, and
    what is added to one would be added to the other.
    """
    taken: set[int] = set()
    found = list(gradients)
    for place, gradient in enumerate(gradients):
        if gradient is not None and type(gradient) in PLAIN and gradient.layout == torch.strided:
            memory = gradient.untyped_storage().data_ptr()
            if memory in taken:
                found[place] = gradient.clone()
            elif memory:  # of an empty one 0
                taken.add(memory)
    return found


@contextmanager
def skip_fired_hooks(output: Tensor, gradient: Tensor) -> Iterator[None]:
    """Let a pass that starts from this output with this gradient continue with it, past the output's own hooks.

    They have run where a pass before it ended: autograd runs a tensor's hooks there, and again where one starts.
    """
    edge = torch.autograd.graph.get_gradient_edge(output)

    def put_back(gradients: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return tuple(gradient if number == edge.output_nr else other for number, other in enumerate(gradients))

    handle = edge.node.register_prehook(put_back)
    try:
        yield
    finally:
        handle.remove()


def _pass(
    outputs: Sequence[Any],
    points: Sequence[Any],
    seeds: Sequence[Tensor],
    keep: bool,
    captured: dict[int, Tensor | None],
) -> list[Tensor | None]:
    """Gradients of a weighted sum of the outputs by the points; both are tensors or edges."""
    captured.clear()
    gradients = differentiate(outputs, points, seeds, keep)
    found = [captured.get(place, gradient) for place, gradient in enumerate(gradients)]
    captured.clear()  # whoever takes them may then free them
    return found


def _batched_pass(
    outputs: Sequence[Point],
    points: Sequence[Point],
    seeds: Sequence[Tensor],
    keep: bool,
    captured: dict[int, Tensor | None],
) -> list[Tensor | None]:
    """The same [K, ...] for seeds [K, ...]."""
    if not outputs or not points:
        return [None] * len(points)
    nonzero: list[int] = []

    def pull(*seeds: Tensor) -> tuple[Tensor, ...]:
        gradients = _pass(outputs, points, seeds, keep, captured)
        nonzero[:] = [place for place, gradient in enumerate(gradients) if gradient is not None]
        return tuple(gradient for gradient in gradients if gradient is not None)

    try:
        found = batched_call(pull, seeds)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise RuntimeError(
            "the batched backward pass failed, use route='rows': a hook or an operation met the gradients of all "
            f"tasks at once and asked for a plain number, or has no batching rule. PyTorch says: {error}"
        ) from error
    gradients = dict(zip(nonzero, found, strict=True))
    return [gradients.get(place) for place in range(len(points))]


@contextmanager
def _arriving(graph: Graph) -> Iterator[dict[GradientEdge, list[Tensor | None]]]:
    """What each task brings to each entry of the join, before the entry's own hooks."""
    joint, entries = graph.joint
    arrived: dict[GradientEdge, list[Tensor | None]] = {entry: [None] * len(graph.roots) for entry in entries}

    def on_grad(places: Sequence[tuple[int, GradientEdge, int]], gradients: Sequence[Tensor | None], _: Any) -> None:
        for operand, entry, task in places:
            gradient, before = gradients[operand], arrived[entry][task]
            if gradient is not None:
                arrived[entry][task] = gradient if before is None else before + gradient

    handles = []
    for node in graph.nodes:
        if node not in joint:
            places = [
                (operand, GradientEdge(*edge), bits.bit_length() - 1)
                for operand, (edge, bits) in enumerate(graph.edges(node))
                if bits and edge[0] in joint
            ]
            if places:
                handles.append(node.register_hook(partial(on_grad, places)))
    try:
        yield arrived
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _capture_gradients(points: Sequence[Point]) -> Iterator[dict[int, Tensor | None]]:
    """What the nodes of edges receive, by place.

    Autograd captures an edge after the tensor's own hooks if its node does not run, and before them if it does.
    """
    captured: dict[int, Tensor | None] = {}

    def on_grad(place: int, number: int, gradients: Sequence[Tensor | None]) -> None:
        captured[place] = gradients[number]

    handles = [
        point.node.register_prehook(partial(on_grad, place, point.output_nr))
        for place, point in enumerate(points)
        if isinstance(point, GradientEdge)
    ]
    try:
        yield captured
    finally:
        for handle in handles:
            handle.remove()


def _alone(k: int, gradients: Sequence[Tensor | None], points: Sequence[Point]) -> Found:
    """What one task's own pass found, first by the shared points."""
    parts = gradients[: len(points)]
    if not PLAIN.issuperset(map(type, parts)):
        parts = [g if g is None else part_of(g, like=point) for g, point in zip(parts, points, strict=True)]
    return Found(range(k, k + 1), parts, [apart(gradients[len(points) :])], is_single=True)


@contextmanager
def _without_gradients(leaves: Iterable[Tensor]) -> Iterator[None]:
    aside = [(leaf, leaf.grad) for leaf in leaves]
    for leaf, _ in aside:
        leaf.grad = None
    try:
        yield
    finally:
        for leaf, gradient in aside:
            leaf.grad = gradient


def _stack(gradients: Sequence[Tensor | None]) -> Tensor | None:
    """[K, ...], zero where ``None``."""
    some = next((gradient for gradient in gradients if gradient is not None), None)
    if some is None:
        return None
    return torch.stack([torch.zeros_like(some) if gradient is None else gradient for gradient in gradients])


def _of_task(gradients: Tensor | None, k: int) -> Tensor | None:
    return None if gradients is None else gradients[k]
