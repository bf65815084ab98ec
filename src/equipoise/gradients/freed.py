"""Graphs that an earlier backward pass has used up, or that allow one pass only."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from equipoise.torch_private import backward_number, backward_retains_graph, is_freed

_MARK = "equipoise: whose backward used this up"  # in the metadata of a loss's node


class Explained:
    """Says in the balancer's words what PyTorch says of a graph that is gone, or that allows one pass only."""

    def __init__(self, losses: Sequence[Tensor], method: nn.Module) -> None:
        self._losses, self._method = losses, method

    def __enter__(self) -> None:
        self._earlier = _earlier(self._losses)
        note_backward(self._losses, self._method)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, RuntimeError):
            return
        if "backward through the graph a second time" in str(error):
            raise RuntimeError(_used_up(self._earlier, self._method)) from error
        if "computed under selective activation checkpoint" in str(error):
            raise RuntimeError(
                f"a region under selective activation checkpointing allows one backward pass, and {self._method} needs "
                "one for each task: use torch.utils.checkpoint without context_fn; or route='batched', all tasks in "
                "one pass, where gradients are compared at all shared parameters and without accumulate; or give "
                "representation=, the output of the region; or balance by losses (Sum, Fixed, UW, DWA)"
            ) from error


def note_backward(losses: Sequence[Tensor], method: nn.Module) -> None:
    """Note at the losses which balancer's backward uses them up, for the words of a later one's error."""
    mark = backward_number(), method
    if mark[0] < 0 or backward_retains_graph():
        return  # no backward, or one that retains the graph
    for loss in losses:
        node: Any = loss.grad_fn
        if node is not None:
            node.metadata[_MARK] = mark


def require_unused(losses: Sequence[Tensor], method: nn.Module) -> None:
    """Raise if an earlier backward of a balancer went through these losses and freed their graph."""
    earlier = _earlier(losses)
    if earlier is not None and earlier[0] != backward_number() and _is_freed(losses):
        raise RuntimeError(_used_up(earlier, method))


def _earlier(losses: Sequence[Tensor]) -> tuple[int, nn.Module] | None:
    """The backward that used up one of the losses last, and the method of its balancer."""
    for loss in losses:
        node: Any = loss.grad_fn
        if node is not None and _MARK in node.metadata:  # which lives as long as the node
            found: tuple[int, nn.Module] = node.metadata[_MARK]
            return found
    return None


def _used_up(earlier: tuple[int, nn.Module] | None, method: nn.Module) -> str:
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


def _is_freed(losses: Sequence[Tensor]) -> bool:
    """Whether something that the losses' graph had saved is gone."""
    ways: list[Any] = [loss.grad_fn for loss in losses]
    seen = {None}
    while ways:
        node = ways.pop()
        if node in seen:
            continue
        seen.add(node)
        if is_freed(node):
            return True
        ways += [below for below, _ in node.next_functions]
    return False
