"""Norms, shares and directions of the gradients of one look."""

import math
from dataclasses import dataclass

from equipoise.watching.seen import LayerSeen, PassSeen

_SMALL = 0.01  # of the rival's norm
_GAIN = 0.05  # of its factor, and then of its norm
_FLAT = 0.1  # of its norm, without factors: below, a part with a small factor is a regulariser


@dataclass(frozen=True)
class Rival:
    """The part with the largest gradient by what another one reaches."""

    name: str
    ratio: float  # the other's norm by this one's
    is_flat: bool  # the other is small without its small factor, too, as an entropy near its maximum
    is_small: bool  # the other is hardly trained beside it


def norm_of(look: PassSeen, k: int) -> float:
    """The norm of a part's gradient by all that it reaches."""
    return math.sqrt(sum(layer.gramian[k][k] for layer in look.layers))


def shares_of(look: PassSeen) -> list[float]:
    """<g_k, g> / |g|^2 by shared parameters, which sum to one; NaN without a gradient."""
    along = [sum(row) for row in look.gramian]
    whole = sum(along)
    return [value / whole if whole > 0 else math.nan for value in along]


def flow_of(layer: LayerSeen) -> float:
    """The norm of the whole gradient by a module's parameters."""
    return math.sqrt(max(0.0, sum(map(sum, layer.gramian))))


def cosine(look: PassSeen, i: int, j: int) -> float:
    """Of two parts' gradients by shared parameters; NaN where one is zero."""
    size = math.sqrt(look.gramian[i][i] * look.gramian[j][j])
    return look.gramian[i][j] / size if size > 0 else math.nan


def shared_numbers(look: PassSeen, i: int, j: int) -> int:
    """How many numbers of parameters two parts both reach."""
    return sum(layer.numbers for layer in look.layers if i in layer.parts and j in layer.parts)


def rival_of(look: PassSeen, k: int) -> Rival | None:
    """Of part ``k``; ``None`` where it has no gradient, or no other has one there."""
    reached = [layer for layer in look.layers if k in layer.parts]
    norms = [math.sqrt(sum(layer.gramian[j][j] for layer in reached)) for j in range(len(look.parts))]
    others = [j for j in range(len(norms)) if j != k and norms[j] > 0]
    if not norms[k] > 0 or not others:
        return None
    place = max(others, key=lambda j: norms[j])
    ratio, factor, other = norms[k] / norms[place], look.parts[k].factor, look.parts[place].factor
    scale = abs(factor / other) if factor and other else 1.0
    is_flat = scale < 1 and ratio / scale < _FLAT
    limit = _GAIN if scale <= 1.01 * _GAIN else _SMALL  # factors are float32
    return Rival(look.parts[place].name, ratio, is_flat, ratio < limit and not is_flat)
