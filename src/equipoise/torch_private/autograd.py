"""Autograd: hooks that a backward pass does not run, what nodes of its graph hold, and the pass that is running."""

import ctypes
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache, update_wrapper
from typing import Any, cast

import torch
import torch._functorch.vmap
import torch.utils.checkpoint as checkpoints
from torch import Tensor
from torch.autograd.graph import GradientEdge

HOOKS_ARE_SEEN = hasattr(torch._C._autograd.SavedTensor, "unpack_hook")  # not in torch 2.8

_SUPPRESSED = "equipoise: hooks of parameters do not run"  # in what autograd's own threads take over from the caller


def _stash_steals() -> bool:
    """Whether ``_stash_obj_in_tls`` takes no reference to what it is given, though it drops one: until torch 2.11."""
    given = object()
    before = sys.getrefcount(given)
    torch._C._stash_obj_in_tls(f"{_SUPPRESSED}: probe", given)
    steals = sys.getrefcount(given) == before
    if steals:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(given))
    return steals


_STASH_STEALS = _stash_steals()


def _refuse_second_recomputations(kind: Any) -> None:
    """Let a region under selective checkpointing refuse a second backward pass, in the words of torch 2.13.

    Before, the second pass is given what the first left over, and its gradient is wrong without a word.
    """
    enter = kind.__enter__

    def enter_once(mode: Any) -> Any:
        if mode.__dict__.setdefault("_equipoise_has_run", False):
            raise RuntimeError(
                "Trying to backward an extra time. You are only allowed to backward once on any region computed under "
                "selective activation checkpoint."
            )
        mode._equipoise_has_run = True
        return enter(mode)

    kind.__enter__ = enter_once


if not hasattr(checkpoints, "_CONSUMED") and hasattr(checkpoints, "_CachedTorchDispatchMode"):
    _refuse_second_recomputations(checkpoints._CachedTorchDispatchMode)


# Hooks of tensors


@contextmanager
def suppressed_hooks(leaves: Iterable[Tensor]) -> Iterator[None]:
    """Run no tensor hooks of these leaves in the backward passes of this block.

    Other threads may go backward through the leaves meanwhile, and a hook on the way may go backward through another
    network, in a pass that inherits what this one knows.
    """
    leaves, outer = list(leaves), _suppressed()
    _wrap_hooks(leaves)
    _suppress(outer.union(map(id, leaves)))
    try:
        yield
    finally:
        _suppress(outer)


@contextmanager
def passes_of(owner: object) -> Iterator[None]:
    """Mark the backward passes that this block starts, in whatever thread they run."""
    outer = _suppressed()
    _suppress(outer.union((id(owner),)))
    try:
        yield
    finally:
        _suppress(outer)


def is_pass_of(owner: object) -> bool:
    """Whether this runs in a pass that is marked so."""
    return id(owner) in _suppressed()


def _suppressed() -> frozenset[int]:
    """The ``id`` of each leaf whose hooks do not run."""
    return torch._C._get_obj_in_tls(_SUPPRESSED) if torch._C._is_key_in_tls(_SUPPRESSED) else frozenset()


def _suppress(leaves: frozenset[int]) -> None:
    if _STASH_STEALS:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(leaves))
    torch._C._stash_obj_in_tls(_SUPPRESSED, leaves)


def _wrap_hooks(leaves: Iterable[Tensor]) -> None:
    """Put in the place of each hook of a leaf one that can be suppressed; the user's handle removes it as well."""
    for leaf in leaves:
        hooks = leaf._backward_hooks or {}
        for key, hook in list(hooks.items()):
            if not isinstance(hook, _Hook) and key in hooks:
                hooks[key] = _Hook(hook, id(leaf))


class _Hook:
    """A user's hook, on the leaf of this ``id``."""

    def __init__(self, run: Callable[[Tensor], Tensor | None], leaf: int) -> None:
        update_wrapper(self, run)
        self._run, self._leaf = run, leaf

    def __call__(self, gradient: Tensor) -> Tensor | None:
        return None if self._leaf in _suppressed() else self._run(gradient)


# Nodes of the graph


def saved(node: Any, name: str) -> Any:
    """What a node saved for its backward under a name: a tensor, a number, or a sequence of them."""
    value = getattr(node, f"_saved_{name}")
    return tuple(map(_signed, value)) if isinstance(value, tuple) else _signed(value)


def reduction_of(node: Any) -> int | None:
    """0 for none, 1 for the mean, 2 for the sum, as a loss of PyTorch's own saves it; ``None`` of other nodes."""
    return getattr(node, "_saved_reduction", None)


def _signed(value: Any) -> Any:
    """PyTorch may show a saved -1 as an unsigned number."""
    return value - 2**64 if type(value) is int and value >= 2**63 else value


def saving_runs_hooks(node: Any) -> bool:
    """Whether to look at what a node saved runs a hook: a checkpoint would run its forward pass again.

    Up to torch 2.8 nobody can tell: then it is True of every node that saves a tensor.
    """
    for name in _raw_names(cast(Hashable, type(node))):
        found = getattr(node, name)
        for raw in found if isinstance(found, tuple | list) else (found,):
            if raw is not None and (not HOOKS_ARE_SEEN or raw.unpack_hook is not None):
                return True
    return False


def is_known_to_be_hidden(node: Any) -> bool:
    """Whether a hook is known to hide what a node saved; up to torch 2.8 none is, and to look may run it once more."""
    return HOOKS_ARE_SEEN and saving_runs_hooks(node)


@cache
def _raw_names(kind: Hashable) -> tuple[str, ...]:
    return tuple(name for name in dir(kind) if name.startswith("_raw_saved_"))


def is_freed(node: Any) -> bool:
    """Whether something that a node saved is gone."""
    for name in dir(node):
        if name == "saved_tensors" or name.startswith("_saved_"):
            try:
                getattr(node, name)
            except RuntimeError:  # what PyTorch says of a saved tensor that it has freed
                return True
    return False


def output_metadata(edge: GradientEdge | tuple[Any, int]) -> Any:
    """Shape, dtype and device of the output of a node that an edge leads to, and whether it is nested."""
    return cast(Any, edge[0])._input_metadata[edge[1]]


def first_output_shapes(nodes: Iterable[Any]) -> tuple[tuple[int, ...], ...]:
    """The shape of each node's first output."""
    return tuple([tuple(node._input_metadata[0].shape) for node in nodes])


def is_of_a_script(node: Any) -> bool:
    """Whether it is of an ``autograd.Function`` that is not PyTorch's own."""
    is_function = isinstance(node, torch.autograd.function.BackwardCFunction)
    return is_function and not node._forward_cls.__module__.startswith("torch.")


def number_of_outputs(node: Any) -> int:
    """How many gradients a node takes."""
    return len(node._input_metadata)


# The backward pass that is running


def backward_number() -> int:
    """Its number; negative outside of any."""
    return torch._C._current_graph_task_id()


def backward_retains_graph() -> bool:
    """Whether it was called with ``retain_graph=True``."""
    return torch._C._autograd._get_current_graph_task_keep_graph()


def backward_will_run(nodes: Iterable[Any]) -> bool:
    """Whether it still passes through one of these nodes."""
    return any(map(torch._C._will_engine_execute_node, nodes))


# Backward passes of our own


def gradients_past_hooks(
    outputs: Sequence[Any], points: Sequence[Any], seeds: Sequence[Tensor], keep: bool
) -> Sequence[Tensor | None]:
    """``torch.autograd.grad``, past tensor hooks of leaves, and without checks that take longer than a small pass."""
    # an edge to what accumulates a leaf's gradient stands for the leaf
    ends: list[Any] = [
        getattr(point.node, "variable", None) if isinstance(point, GradientEdge) else point for point in points
    ]
    hooked: list[Any] = [end for end in ends if getattr(end, "_backward_hooks", None) and end.is_leaf]
    with suppressed_hooks(hooked) if hooked else nullcontext():
        return torch.autograd.graph._engine_run_backward(
            tuple(outputs), tuple(seeds), keep, False, tuple(points), allow_unreachable=True, accumulate_grad=False
        )


def batched_call(function: Callable[..., Sequence[Tensor]], arguments: Sequence[Tensor]) -> list[Tensor]:
    """``torch.func.vmap(function)(*arguments)`` for tensors [B, ...], without what that does for trees of them."""
    cast(Any, torch._functorch.vmap).lazy_load_decompositions()
    size = arguments[0].shape[0]
    level = torch._C._functorch._vmap_increment_nesting(size, "error")
    try:
        found = function(*[torch._C._functorch._add_batch_dim(argument, 0, level) for argument in arguments])
        return [torch._C._functorch._remove_batch_dim(one, level, size, 0) for one in found]
    finally:
        torch._C._functorch._vmap_decrement_nesting()
