"""Suggested starting weights."""

from collections.abc import Mapping

from torch import Tensor


def suggested(names: tuple[str, ...], user_weights: Mapping[str, float], gramian: Tensor | None) -> dict[str, float]:
    """weight_k ∝ 1 / ‖gradient of the raw loss k‖, with mean 1: every task then moves what is shared equally far.

    Empty for fewer than two tasks, and where a gradient is zero or not finite.
    """
    if gramian is None or len(names) < 2:
        return {}
    norms = gramian.diagonal().sqrt().tolist()
    if not all(0 < norm < float("inf") for norm in norms):
        return {}
    inverse = {name: user_weights[name] / norm for name, norm in zip(names, norms, strict=True)}
    scale = len(names) / sum(inverse.values())
    return {name: value * scale for name, value in inverse.items()}
