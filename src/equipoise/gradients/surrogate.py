"""The scalar whose backward asks for the gradients, and the errors where that backward cannot be."""

import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.torch_private.autograd import backward_number, backward_retains_graph, is_freed
from equipoise.torch_private.compiling import uncompiled

_FREED_BY = "equipoise: freed by"  # in the metadata of a loss's node: (number of the backward pass, its method)

Backward = Callable[[Tensor], Sequence[Tensor | None]]  # incoming gradient [] -> a gradient for every leaf


def surrogate(value: Tensor, leaves: Sequence[Tensor], backward: Backward) -> Tensor:
    """A scalar of that value; its gradient by the leaves is whatever ``backward`` answers, once."""
    scalar: Tensor = _Surrogate.apply([backward], value, *leaves)  # type: ignore[no-untyped-call]
    return scalar


def with_gradient_of(value: Tensor, objective: Tensor, listen: Callable[[Tensor], None]) -> Tensor:
    """A scalar of that value, to the last bit and whatever the objective's; its gradient is the objective's.

    ``listen`` is told the incoming gradient [] when the scalar goes backward.
    """
    scalar = objective.to(value).clone()  # its backward needs no number of its own, and so the number may be another
    scalar.detach().copy_(value)
    scalar.register_hook(lambda incoming: listen(incoming.detach()))
    return scalar


class _Surrogate(torch.autograd.Function):
    """Hands gradients to AccumulateGrad, so hooks, accumulation and clipping see an ordinary backward."""

    @staticmethod
    def forward(ctx: Any, held: list[Backward], value: Tensor, *leaves: Tensor) -> Tensor:
        ctx.held = held  # emptied by backward, so that the graph of the losses is freed
        return value.clone()

    @staticmethod
    @uncompiled
    def backward(ctx: Any, incoming: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError("create_graph=True is not supported by gradient methods: call .backward() without it")
        if not ctx.held:
            raise RuntimeError(
                ".backward() was called a second time on the balanced loss: call the balancer again for each backward"
            )
        device = incoming.device.type
        is_cast = torch.is_autocast_enabled(device)
        with torch.autocast(device, enabled=False) if is_cast else nullcontext():
            return (None, None, *ctx.held.pop()(incoming))


class ReentrancyGuard:
    """``with guard:`` lets one in; a second is refused and does not wait, as autograd's threads must not.

    Raises:
        RuntimeError: On entry, if another backward is inside.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["ReentrancyGuard"], tuple[()]]:
        return ReentrancyGuard, ()  # a copy of a balancer has one of its own

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(
                "two backwards of one balancer at a time, from two threads? Give each thread a balancer and "
                "a method of its own; the balancers may share parameters"
            )

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class GraphErrors:
    """Context of a backward pass of ``losses``: PyTorch's errors of freed graphs are raised as what to do instead."""

    def __init__(self, losses: Sequence[Tensor], method: nn.Module) -> None:
        self._losses, self._method = losses, method

    def __enter__(self) -> None:
        self._earlier = _earlier(self._losses)
        note_backward(self._losses, self._method)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, RuntimeError):
            return
        if "backward through the graph a second time" in str(error):
            raise RuntimeError(_freed_message(self._earlier, self._method)) from error
        if "computed under selective activation checkpoint" in str(error):
            raise RuntimeError(
                f"a region under selective activation checkpointing allows one backward pass, and {self._method} needs "
                "one for each task: use torch.utils.checkpoint without context_fn; or route='batched', all tasks in "
                "one pass, where gradients are compared at all shared parameters and without accumulate; or give "
                "representation=, the output of the region; or balance by losses (Sum, Fixed, UW, DWA)"
            ) from error


def note_backward(losses: Sequence[Tensor], method: nn.Module) -> None:
    """Note at the losses that the backward pass that runs now, of this method's balancer, frees their graph.

    The error of a later pass then names the method. Outside a backward pass, or if it retains the graph: nothing.
    """
    number = backward_number()
    if number < 0 or backward_retains_graph():
        return
    for loss in losses:
        node: Any = loss.grad_fn
        if node is not None:
            node.metadata[_FREED_BY] = (number, method)


def require_unused(losses: Sequence[Tensor], method: nn.Module) -> None:
    """Raise RuntimeError if an earlier backward pass of a balancer went through these losses and freed their graph."""
    earlier = _earlier(losses)
    if earlier is not None and earlier[0] != backward_number() and _has_freed_node(losses):
        raise RuntimeError(_freed_message(earlier, method))


def _earlier(losses: Sequence[Tensor]) -> tuple[int, nn.Module] | None:
    """What ``note_backward`` noted last, of the first loss that has a note: the pass's number and its method."""
    for loss in losses:
        node: Any = loss.grad_fn
        if node is not None and _FREED_BY in node.metadata:  # which lives as long as the node
            noted: tuple[int, nn.Module] = node.metadata[_FREED_BY]
            return noted
    return None


def _freed_message(earlier: tuple[int, nn.Module] | None, method: nn.Module) -> str:
    if earlier is None or earlier[1] is method:
        return (
            "the graph of these losses is used up: a backward pass, of their sum or of an earlier balanced loss, went "
            "through it before. Compute losses anew for each call, and call .backward() once, on what the balancer "
            "returns"
        )
    return (
        f"the graph of these losses is used up: the balancer of {earlier[1]} went backward through it. Give that "
        "backward retain_graph=True, or compute the losses anew for each balancer"
    )


def _has_freed_node(losses: Sequence[Tensor]) -> bool:
    """Whether any node of the losses' graph has lost its saved tensors."""
    to_visit: list[Any] = [loss.grad_fn for loss in losses]
    visited = {None}
    while to_visit:
        node = to_visit.pop()
        if node in visited:
            continue
        visited.add(node)
        if is_freed(node):
            return True
        to_visit += [next_node for next_node, _ in node.next_functions]
    return False
