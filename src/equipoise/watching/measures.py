"""Norms, shares and directions of the gradients of one look, and of all looks at a line."""

import math
from collections.abc import Sequence
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
    is_by_factor: bool  # for a small factor of its own, no large one of this part


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
    odds = [abs(math.log(abs(one))) if one else 0.0 for one in (factor, other)]  # how far from 1
    is_flat = scale < 1 and ratio / scale < _FLAT
    limit = _GAIN if scale <= 1.01 * _GAIN else _SMALL  # factors are float32
    is_small = ratio < limit and not is_flat
    is_by_factor = scale < 1 and odds[0] > odds[1] and not look.parts[place].is_penalty
    return Rival(look.parts[place].name, ratio, is_flat, is_small, is_by_factor)


def place_of(look: PassSeen, name: str) -> int:
    """A part's place by its name."""
    return [part.name for part in look.parts].index(name)


@dataclass(frozen=True)
class Line:
    """All looks at one line that calls backward, and the parts that were there in each."""

    looks: Sequence[PassSeen]

    @property
    def is_young(self) -> bool:
        """Whether its first step alone was seen: much is 0 there that is not later, as behind an output that is."""
        return max(look.step for look in self.looks) == 1

    @property
    def names(self) -> list[str]:
        """Of the parts that were there in every look, in the order of the last."""
        common = set.intersection(*({part.name for part in look.parts} for look in self.looks))
        return [part.name for part in self.looks[-1].parts if part.name in common]

    @property
    def tasks(self) -> list[str]:
        """Those that are no penalties, which are meant to be small and to oppose what fits the data."""
        penalties = {part.name for look in self.looks for part in look.parts if part.is_penalty}
        return [name for name in self.names if name not in penalties]

    def values(self, name: str) -> list[float | None]:
        """A part's values."""
        return [part.value for look in self.looks for part in look.parts if part.name == name]

    def factors(self, name: str) -> list[float | None]:
        """What multiplies a part."""
        return [part.factor for look in self.looks for part in look.parts if part.name == name]

    def terms(self, name: str) -> list[int | None]:
        """How many losses of a batch a part is the sum of."""
        return [part.terms for look in self.looks for part in look.parts if part.name == name]

    def norms(self, name: str) -> list[float]:
        """The norms of a part's gradient by all that it reaches."""
        return [norm_of(look, k) for look in self.looks for k, part in enumerate(look.parts) if part.name == name]

    def portions(self, name: str) -> list[float]:
        """A part's norm by the shared parameters, of the sum of all such norms but those of flat ones and penalties."""
        found = []
        for look in self.looks:
            norms = [math.sqrt(look.gramian[k][k]) for k in range(len(look.parts))]
            rivals = [rival_of(look, k) for k in range(len(norms))]
            counted = [k for k, rival in enumerate(rivals) if norms[k] > 0 and rival and not rival.is_flat]
            counted = [k for k in counted if not look.parts[k].is_penalty]
            place = place_of(look, name)
            alone = not any(k != place for k in counted)
            found.append(0.0 if alone else norms[place] / sum(norms[k] for k in {place, *counted}))
        return found
