"""Routes from K losses to K gradients; equal mathematics at different cost."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor

Receive = Callable[[int, Sequence[Tensor | None]], None]  # (k, gradients of wanted[k]); None is a zero


class Route(Protocol):
    """``route(losses, wanted, incoming, receive, keep)``: hand the gradients of losses[k] by wanted[k] to receive.

    Each backward is seeded with ``incoming`` []; ``keep`` leaves the graph alive afterwards.
    """

    def __call__(
        self,
        losses: Sequence[Tensor],
        wanted: Sequence[Sequence[Tensor]],
        incoming: Tensor,
        receive: Receive,
        keep: bool,
    ) -> None: ...


def sequential(
    losses: Sequence[Tensor],
    wanted: Sequence[Sequence[Tensor]],
    incoming: Tensor,
    receive: Receive,
    keep: bool,
) -> None:
    """One backward pass after another."""
    with _silent_hooks(wanted):
        for k, (loss, leaves) in enumerate(zip(losses, wanted, strict=True)):
            if leaves:
                last = k == len(losses) - 1
                seeded = seed(loss, incoming)
                receive(
                    k,
                    torch.autograd.grad(loss, leaves, seeded, retain_graph=keep or not last, allow_unused=True),
                )


def batched(
    losses: Sequence[Tensor],
    wanted: Sequence[Sequence[Tensor]],
    incoming: Tensor,
    receive: Receive,
    keep: bool,
) -> None:
    """One backward pass with K seeds.

    Every operation needs a batching rule, 0 · inf is NaN for all tasks, and PyTorch leaves a batched tensor
    in the ``.grad`` of an intermediate that retains it.
    """
    union = list(dict.fromkeys(leaf for leaves in wanted for leaf in leaves))
    with torch.enable_grad():
        stacked = torch.stack(list(losses))
    seeds = torch.eye(len(losses), dtype=stacked.dtype, device=stacked.device) * seed(stacked, incoming)
    try:
        with _silent_hooks([union]):
            gradients = torch.autograd.grad(
                stacked, union, seeds, retain_graph=keep, allow_unused=True, is_grads_batched=True
            )
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise RuntimeError(f"route='batched' failed, use route='rows': {error}") from error
    by_leaf = dict(zip(union, gradients, strict=True))
    for k, leaves in enumerate(wanted):
        receive(k, [None if by_leaf[leaf] is None else by_leaf[leaf][k] for leaf in leaves])


ROUTES: dict[str, Route] = {"rows": sequential, "batched": batched}


def seed(output: Tensor, incoming: Tensor) -> Tensor:
    """The incoming gradient [] as a seed for this output."""
    return incoming.to(device=output.device, dtype=output.dtype)


def weighted_pass(
    outputs: Sequence[Tensor], leaves: Sequence[Tensor], seeds: Sequence[Tensor], keep: bool
) -> list[Tensor]:
    """sum_k seeds[k] · gradient of outputs[k], by one backward pass."""
    if not leaves:
        return []
    if not outputs:
        return [torch.zeros_like(leaf) for leaf in leaves]
    with _silent_hooks([leaves]):
        gradients = torch.autograd.grad(outputs, leaves, seeds, retain_graph=keep, allow_unused=True)
    return [torch.zeros_like(leaf) if g is None else g for leaf, g in zip(leaves, gradients, strict=True)]


@contextmanager
def _silent_hooks(wanted: Sequence[Sequence[Tensor]]) -> Iterator[None]:
    """Keep tensor hooks of leaves for the combined gradient: they would also run once per task."""
    hooked = {leaf: leaf._backward_hooks for leaves in wanted for leaf in leaves if leaf._backward_hooks}
    for leaf in hooked:
        leaf._backward_hooks = None
    try:
        yield
    finally:
        for leaf, hooks in hooked.items():
            leaf._backward_hooks = hooks
