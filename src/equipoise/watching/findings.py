"""What is wrong with a script's losses, or worth knowing, the worst first, each with what to do."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from equipoise.names import listed
from equipoise.watching.seen import PassSeen

_SMALL = 0.01  # of the whole gradient's norm
_MOST = 0.95  # of the step
_OPPOSED = -0.1  # cosine
_PARALLEL = 1 - 1e-6
_PLANE = 3  # shared numbers below which gradients are parallel by chance
_DEAD = 0.5  # of a layer's outputs
_ACTIVE_LOOKS = 2  # from which on something may be called lasting


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

    def values(self, name: str) -> list[float | None]:
        """A part's values."""
        return [part.value for look in self.looks for part in look.parts if part.name == name]

    def factors(self, name: str) -> list[float | None]:
        """What multiplies a part."""
        return [part.factor for look in self.looks for part in look.parts if part.name == name]

    def norms(self, name: str) -> list[float]:
        """The norms of a part's gradient by all that it reaches."""
        return [norm_of(look, k) for look in self.looks for k, part in enumerate(look.parts) if part.name == name]

    def shares(self, name: str) -> list[float]:
        """How much of each step along the whole gradient a part's own gradient is."""
        return [shares_of(look)[k] for look in self.looks for k, part in enumerate(look.parts) if part.name == name]


def norm_of(look: PassSeen, k: int) -> float:
    """The norm of a part's gradient by all that it reaches."""
    return math.sqrt(sum(layer.gramian[k][k] for layer in look.layers))


def shares_of(look: PassSeen) -> list[float]:
    """<g_k, g> / |g|^2 by shared parameters, which sum to one; NaN without a gradient."""
    along = [sum(row) for row in look.gramian]
    whole = sum(along)
    return [value / whole if whole > 0 else math.nan for value in along]


def cosine(look: PassSeen, i: int, j: int) -> float:
    """Of two parts' gradients by shared parameters; NaN where one is zero."""
    size = math.sqrt(look.gramian[i][i] * look.gramian[j][j])
    return look.gramian[i][j] / size if size > 0 else math.nan


def shared_numbers(look: PassSeen, i: int, j: int) -> int:
    """How many numbers of parameters two parts both reach."""
    return sum(layer.numbers for layer in look.layers if i in layer.parts and j in layer.parts)


def findings_of(looks: Sequence[PassSeen]) -> list[str]:
    """Of the looks at one line that calls backward; where it sums other losses each time, of the last."""
    line = Line(looks)
    line = line if line.names else Line(looks[-1:])
    return [finding for rule in _RULES for finding in rule(line)]


def of_numbers(line: Line) -> list[str]:
    """Values and gradients that are not finite."""
    found = []
    for name in line.names:
        for look, value, norm in zip(line.looks, line.values(name), line.norms(name), strict=True):
            if value is not None and not math.isfinite(value):
                found.append(f"{name!r} is {value} at step {look.step}: look at its inputs")
                break
            if not math.isfinite(norm):
                found.append(
                    f"the gradient of {name!r} is not finite at step {look.step}, though its value is: look for sqrt, "
                    "log or a division at 0"
                )
                break
    return found


def of_silence(line: Line) -> list[str]:
    """Parts that train nothing."""
    found = []
    for name in line.names:
        if all(factor == 0 for factor in line.factors(name)):
            found.append(f"{name!r} has the factor 0: it trains nothing, which may be meant")
        elif all(norm == 0 for norm in line.norms(name)):
            values = {value for value in line.values(name) if value is not None}
            of = f"is {_number(min(values))}" if len(values) == 1 else "changes"
            times = "at the step that was seen" if len(line.looks) == 1 else f"at all {len(line.looks)} steps seen"
            found.append(
                f"{name!r} trains nothing: it {of} and its gradient is exactly 0 {times}. Look at its labels, its "
                "mask, and whether its activation fits the number of channels (a softmax over one channel is 1)"
                + "; or it begins so: see a later step, too"
                * line.is_young
            )
    constants = [
        name
        for name in line.looks[-1].constants
        if all(name in look.constants for look in line.looks)
        and (len(line.looks) == 1 or len({look.constants[name] for look in line.looks}) > 1)  # else meant as a constant
    ]
    found += [
        f"{name or 'a number'} ({_number(line.looks[-1].constants[name])}) is added to the loss and has no graph: it "
        "trains nothing. Look for detach(), .item(), no_grad() or argmax on its way"
        for name in constants
    ]
    return found


def of_size(line: Line) -> list[str]:
    """Parts that drown, and the one that drowns them."""
    if sum(max(line.norms(name)) > 0 for name in line.names) < 2:
        return []
    if any(value is None for name in line.names for value in line.values(name)):
        return []  # halves of an expression by sample, maybe, and no losses
    found = []
    largest = max(line.names, key=lambda name: min(line.norms(name)))
    shares = line.shares(largest)
    if all(share > _MOST for share in shares):
        found.append(
            f"{largest!r} makes {min(99, int(100 * min(shares)))} % or more of the step of the shared parameters: the "
            "others hardly train them; see the factors suggested below"
        )
    for name in line.names:
        ratios = [a / b for a, b in zip(line.norms(name), line.norms(largest), strict=True) if b > 0]
        if ratios and 0 < max(ratios) < _SMALL:
            found.append(
                f"the gradient of {name!r} is below {_percent(max(ratios))} of that of {largest!r}: with this factor "
                "it is hardly trained, which may be meant of a regulariser"
            )
    return found


def of_direction(line: Line) -> list[str]:
    """Pairs that lastingly conflict, or are one loss twice."""
    found = []
    for j, second in enumerate(line.names):
        for first in line.names[:j]:
            values = [cosine(look, *_places(look, first, second)) for look in line.looks]
            shared = shared_numbers(line.looks[-1], *_places(line.looks[-1], first, second))
            chance = 2 / math.sqrt(max(1, shared))  # two standard deviations of random directions
            groups = {part.group for part in line.looks[-1].parts if part.name in (first, second)}
            known = None not in line.values(first) + line.values(second)  # else halves of an expression, maybe
            if any(math.isnan(value) for value in values) or not known:
                continue
            if len(values) >= _ACTIVE_LOOKS and max(values) < min(_OPPOSED, -chance) and len(groups) == 2:
                found.append(
                    f"{first!r} and {second!r} conflict at every step seen (cosines "
                    f"{', '.join(f'{value:.2f}' for value in values)}): a gradient method may help; only a comparison "
                    "tells"
                )
            if min(values) > _PARALLEL and shared >= _PLANE:
                found.append(f"{first!r} and {second!r} have parallel gradients: are they one loss under two names?")
    return found


def of_units(line: Line) -> list[str]:
    """Layers most of whose outputs have no gradient from any part."""
    if line.is_young:
        return []
    dead = []
    for layer in line.looks[-1].layers:
        same = [one for look in line.looks for one in look.layers if one.name == layer.name]
        if layer.outputs > 1 and all(one.dead > _DEAD * one.outputs for one in same):
            dead.append(f"{layer.name} ({layer.dead} of {layer.outputs})")
    if not dead:
        return []
    return [
        f"most outputs of {listed(dead)} have no gradient from any loss at every step seen: dead ReLUs, or a part that "
        "is masked away; a leaky activation, a smaller learning rate or another initialisation brings them back"
    ]


def suggested(look: PassSeen) -> dict[str, float]:
    """Factors with which each part would move the shared parameters equally far; the middle one's stays."""
    norms = {part.name: math.sqrt(look.gramian[k][k]) for k, part in enumerate(look.parts)}
    known = {p.name: p.factor for p in look.parts if p.factor and norms[p.name] > 0 and math.isfinite(norms[p.name])}
    if len(known) < 2:
        return {}
    middle = sorted(norms[name] for name in known)[len(known) // 2]
    return {name: factor * middle / norms[name] for name, factor in known.items()}


def _places(look: PassSeen, first: str, second: str) -> tuple[int, int]:
    names = [part.name for part in look.parts]
    return names.index(first), names.index(second)


def _number(value: float) -> str:
    return f"{value:.3g}"


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.2g} %"


_RULES: list[Callable[[Line], list[str]]] = [of_numbers, of_silence, of_units, of_size, of_direction]
