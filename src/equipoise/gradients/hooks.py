"""Tensor hooks of parameters run once, on the combined gradient; autograd would run them in every task's pass too."""

from collections.abc import Callable, Iterable, Sequence
from functools import update_wrapper
from typing import Any

import torch
from torch import Tensor

from equipoise.plain import plain

_DEAF = "equipoise: hooks of parameters do not run"  # in what autograd's own threads take over from the one that asks


def differentiate(
    outputs: Sequence[Any], points: Sequence[Any], seeds: Sequence[Tensor], keep: bool
) -> tuple[Tensor | None, ...]:
    """Gradients of a weighted sum of the outputs by the points, past the tensor hooks of leaves; ``None`` is a zero.

    Only hooks of these leaves are deaf, and only in this pass: other threads may go backward through them meanwhile,
    and a hook on the way may go backward through another network, in a pass that inherits what this one knows.
    """
    leaves = [point for point in points if isinstance(point, Tensor) and point.is_leaf]
    _teach(leaves)
    torch._C._stash_obj_in_tls(_DEAF, frozenset(map(id, leaves)))
    try:
        gradients = torch.autograd.grad(outputs, points, seeds, retain_graph=keep, allow_unused=True)
        return tuple(None if gradient is None else plain(gradient) for gradient in gradients)
    finally:
        torch._C._stash_obj_in_tls(_DEAF, frozenset())


def _teach(leaves: Iterable[Tensor]) -> None:
    """Put in the place of each hook of a leaf one that can be deaf; the user's handle removes it as well."""
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
        is_deaf = torch._C._is_key_in_tls(_DEAF) and self._leaf in torch._C._get_obj_in_tls(_DEAF)
        return None if is_deaf else self._run(gradient)
