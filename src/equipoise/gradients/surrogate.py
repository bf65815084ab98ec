"""The scalar whose backward asks for the gradients."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from equipoise.gradients.compiled import uncompiled

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
        with torch.autocast(incoming.device.type, enabled=False):
            return (None, None, *ctx.held.pop()(incoming))
