"""Tensor hooks of parameters run once, on the combined gradient; autograd would run them in every task's pass too."""

from collections.abc import Callable, Iterable, Sequence
from functools import update_wrapper
from typing import Any

import torch
from torch import Tensor

_DEAF = "equipoise: hooks of parameters do not run"  # in what autograd's own threads take over from the one that asks


def differentiate(
    outputs: Sequence[Any], points: Sequence[Any], seeds: Sequence[Tensor], keep: bool
) -> tuple[Tensor | None, ...]:
    """Gradients of a weighted sum of the outputs by the points, past the tensor hooks of leaves; ``None`` is a zero.

    Only in this pass are the hooks deaf: other threads may go backward through the same leaves meanwhile.
    """
    _teach(points)
    torch._C._stash_obj_in_tls(_DEAF, True)
    try:
        return torch.autograd.grad(outputs, points, seeds, retain_graph=keep, allow_unused=True)
    finally:
        torch._C._stash_obj_in_tls(_DEAF, False)


def _teach(points: Iterable[Any]) -> None:
    """Put in the place of each hook of a leaf one that can be deaf; the user's handle removes it as well."""
    for point in points:
        if isinstance(point, Tensor) and point.is_leaf and point._backward_hooks:
            for key, hook in list(point._backward_hooks.items()):
                if not isinstance(hook, _Hook) and key in point._backward_hooks:
                    point._backward_hooks[key] = _Hook(hook)


class _Hook:
    """A user's hook."""

    def __init__(self, run: Callable[[Tensor], Tensor | None]) -> None:
        update_wrapper(self, run)
        self._run = run

    def __call__(self, gradient: Tensor) -> Tensor | None:
        is_deaf = torch._C._is_key_in_tls(_DEAF) and torch._C._get_obj_in_tls(_DEAF)
        return None if is_deaf else self._run(gradient)
