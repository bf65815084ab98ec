"""How much of the objectives' space a set of methods covers.

While, Bradstreet, Barone, A Fast Way of Calculating Exact Hypervolumes, IEEE TEVC 2012 (WFG).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]  # [N, K], lower is better


def hypervolume(
    points: Sequence[Sequence[float]], reference: Sequence[float], higher_is_better: Sequence[bool] | None = None
) -> float:
    """Volume of the union of the boxes between the reference and each point, exact; larger is better.

    Args:
        points: [N][K], the values of N methods on K metrics. One that is not better than the reference on every
            metric adds nothing.
        reference: [K], what any method should beat. The number depends on it and on the metrics' units: say both.
        higher_is_better: [K], by default none.

    The cost grows exponentially with K.

    Raises:
        ValueError: If the lengths differ or a value is not finite.

    >>> hypervolume([[1.0, 2.0], [2.0, 1.0]], [3.0, 3.0])
    3.0
    """
    bound = np.asarray(reference, float)
    cost = np.asarray(points, float).reshape(len(points), -1) if len(points) else np.empty((0, len(bound)))
    if cost.shape[1] != len(bound) or (higher_is_better is not None and len(higher_is_better) != len(bound)):
        raise ValueError(
            f"points, reference and higher_is_better must have one length K, got {cost.shape[1]}, {len(bound)}"
            f"{'' if higher_is_better is None else f' and {len(higher_is_better)}'}"
        )
    if not (np.isfinite(cost).all() and np.isfinite(bound).all()):
        raise ValueError("points and reference must be finite: leave methods without a value out, and say so")
    if higher_is_better is not None:
        sign = np.where(higher_is_better, -1.0, 1.0)
        cost, bound = sign * cost, sign * bound
    gains = cost - bound  # the reference is the origin, what counts is negative
    return _union(_front(gains[(gains < 0).all(axis=1)]))


def _front(points: Points) -> Points:
    """The points that no other dominates, each once, sorted by their coordinates."""
    points = np.unique(points, axis=0)
    dominates = (points[:, None] <= points[None]).all(axis=2)  # itself among them
    front: Points = points[dominates.sum(axis=0) == 1]
    return front


def _union(front: Points) -> float:
    """Volume of the boxes from each point to the origin: each point's own, less what later ones cover of it.

    From the worst to the best in the last coordinate, later ones cover a point's whole depth there, so that what they
    cover is a union in one dimension less.
    """
    if not len(front):
        return 0.0
    if front.shape[1] == 1:
        return float(-front[0, 0])
    if front.shape[1] == 2:  # sorted by the first coordinate, so the second falls: a staircase
        widths = np.diff(front[:, 0], append=0.0)
        return float(-(widths * front[:, 1]).sum())
    front = front[np.argsort(-front[:, -1])]
    total = 0.0
    for i, (*point, depth) in enumerate(front):
        shared = _front(np.maximum(front[i + 1 :, :-1], point))
        total += -depth * (float(np.abs(point).prod()) - _union(shared))
    return total
