"""What is wrong with a script's losses, or worth knowing, the worst first, each with what to do."""

import math
from collections.abc import Callable, Iterator, Sequence

from equipoise.names import listed
from equipoise.thresholds import COMPARABLE, MOST, OPPOSED, PARALLEL, PLANE
from equipoise.watching.measures import Line, Rival, cosine, flow_of, norm_of, place_of, rival_of, shared_numbers
from equipoise.watching.seen import PassSeen

_DEAD = 0.9  # of a layer's outputs: in a deep ReLU network half are off for all inputs by chance
_CHOSEN = 1.5  # times the outputs that one look reaches: if all looks reach more, each batch has its own
_VANISHED = 1e-5  # of the largest gradient of a number
_ALIVE = 1e-3  # the same, of one that has not vanished
_EXPLODED = 1e4  # times the first whole gradient
_LASTING = 100  # steps from which on a conflict may be called lasting


def findings_of(looks: Sequence[PassSeen]) -> list[str]:
    """Of the looks at one line that calls backward; where it sums other losses each time, of the last."""
    line = Line(looks)
    line = line if line.names else Line(looks[-1:])
    return [*(finding for rule in _RULES for finding in rule(line)), *of_absence(looks)]


def of_numbers(line: Line) -> list[str]:
    """Values and gradients that are not finite, where the first is: it spoils all others in the steps after."""
    for place, look in enumerate(line.looks):
        found = []
        for name in line.names:
            value, norm = line.values(name)[place], line.norms(name)[place]
            if value is not None and not math.isfinite(value):
                found.append(f"{name!r} is {value} at step {look.step}: look at its inputs")
            elif not math.isfinite(norm):
                found.append(
                    f"the gradient of {name!r} is not finite at step {look.step}, though its value is: look for sqrt, "
                    "log or a division at 0"
                )
        if found:
            return found
    return []


def of_silence(line: Line) -> list[str]:
    """Parts that train nothing."""
    found = []
    for name in line.names:
        if all(factor == 0 for factor in line.factors(name)):
            continue  # the table shows it, and it is meant
        if all(norm == 0 for norm in line.norms(name)):
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
        and len({look.constants[name] for look in line.looks}) > 1  # else meant as a constant
    ]
    found += [
        f"{name or 'a number'} ({_number(line.looks[-1].constants[name])}) is added to the loss and has no graph: it "
        "trains nothing. Look for detach(), .item(), no_grad() or argmax on its way"
        for name in constants
    ]
    return found


def of_size(line: Line) -> list[str]:
    """The part that drowns the others, and those that drown for no small factor of theirs."""
    found = []
    small = _small_parts(line)
    by_factor = {name for name, rival in small.items() if rival.is_by_factor}
    dominant = [name for name in line.names if all(share > MOST for share in line.portions(name))]
    for name in dominant if _are_losses(line) else ():
        if any(other not in by_factor for other in line.tasks if other != name):
            found.append(
                f"{name!r} has {min(99, int(100 * min(line.portions(name))))} % or more of the gradients by the shared "
                "parameters: the others hardly train them; give it a smaller factor, or the others larger ones"
            )
    return found + [
        f"the gradient of {name!r} is below {_percent(rival.ratio)} of that of {rival.name!r}: it is hardly trained; "
        "compare how both are scaled and reduced, or give it a larger factor"
        for name, rival in small.items()
        if name not in by_factor and rival.name not in dominant
    ]


def of_small_factors(line: Line) -> list[str]:
    """Parts that their factor makes small, which may be meant."""
    return [
        f"the gradient of {name!r} is below {_percent(rival.ratio)} of that of {rival.name!r}, with a factor of "
        f"{_number(line.factors(name)[-1] or 0.0)}: is that meant? A regulariser may be so small; a task is hardly "
        "trained"
        for name, rival in _small_parts(line).items()
        if rival.is_by_factor
    ]


def _are_losses(line: Line) -> bool:
    """Whether all values are known; else some are halves of an expression by sample, maybe."""
    return not any(value is None for name in line.tasks for value in line.values(name))


def _small_parts(line: Line) -> dict[str, Rival]:
    """Those that are hardly trained beside another in every look, with the rival that they are nearest to."""
    found = {}
    for name in line.tasks if _are_losses(line) else ():
        rivals = [rival for look in line.looks if (rival := rival_of(look, place_of(look, name))) is not None]
        if len(rivals) == len(line.looks) and all(rival.is_small for rival in rivals):
            found[name] = max(rivals, key=lambda rival: rival.ratio)
    return found


def of_weights(line: Line) -> list[str]:
    """Weights that count twice."""
    return [
        f"{part.name!r} is multiplied by the same weight at two places, {listed(part.weighted_twice)}: its factor is "
        f"{_number(part.factor)}; leave one out"
        for part in line.looks[-1].parts
        if part.weighted_twice and part.name in line.names and part.factor is not None
    ]


def of_reduction(line: Line) -> list[str]:
    """Sums over a batch beside means: by the batch size, one counts more than its factor says."""
    found, last = [], line.looks[-1]
    terms = {name: line.terms(name) for name in line.names}
    means = [part for part in last.parts if part.name in line.tasks and set(terms[part.name]) == {1}]
    for part in last.parts:
        is_sum = part.name in terms and all(number is not None and number > 1 for number in terms[part.name])
        beside = [one.name for one in means if part.factor and one.factor and abs(one.factor) <= abs(part.factor)]
        if is_sum and beside:
            found.append(
                f"{part.name!r} is the sum of {part.terms} losses of a batch and {beside[0]!r} a mean: beside it, it "
                "counts more the larger the batch. Use reduction='mean', or divide by the number of samples"
            )
    return found


def of_absence(looks: Sequence[PassSeen]) -> list[str]:
    """Parts that were there, and are no more."""
    found = []
    for k, part in enumerate(looks[0].parts):
        gone = [look for look in looks if all(one.name != part.name for one in look.parts)]
        is_over = len(gone) > 1 and gone == list(looks[-len(gone) :])
        if is_over and part.name != f"loss[{k}]" and Line(looks).names:
            found.append(
                f"{part.name!r} is part of the loss until step {looks[-len(gone) - 1].step} and not at steps "
                f"{', '.join(str(look.step) for look in gone)}: a task without labels in these batches, or a condition "
                "that holds no more"
            )
    return found


def of_conflict(line: Line) -> list[str]:
    """Pairs that lastingly conflict."""
    found = []
    for first, second, values, shared in _pairs(line):
        chance = 2 / math.sqrt(max(1, shared))  # two standard deviations of random directions
        groups = {part.group for part in line.looks[-1].parts if part.name in (first, second)}
        opposed = max(values) < min(OPPOSED, -chance) and len(groups) == 2
        lasts = len(values) > 1 and line.looks[-1].step >= _LASTING
        if opposed and lasts and all(_are_comparable(look, first, second) for look in line.looks):
            found.append(
                f"{first!r} and {second!r} conflict at every step seen (cosines "
                f"{', '.join(f'{value:.2f}' for value in values)}): a gradient method that removes conflicts may help; "
                "only a comparison tells"
            )
    return found


def of_twins(line: Line) -> list[str]:
    """Pairs that are one loss."""
    return [
        f"{first!r} and {second!r} have parallel gradients: are they one loss under two names?"
        for first, second, values, shared in _pairs(line)
        if min(values) > PARALLEL and shared >= PLANE
    ]


def _pairs(line: Line) -> Iterator[tuple[str, str, list[float], int]]:
    """Of losses with values: the cosines of their gradients, and how many parameters they share."""
    for j, second in enumerate(line.tasks):
        for first in line.tasks[:j]:
            places = [(place_of(look, first), place_of(look, second)) for look in line.looks]
            values = [cosine(look, *pair) for look, pair in zip(line.looks, places, strict=True)]
            known = None not in line.values(first) + line.values(second)  # else halves of an expression, maybe
            if known and not any(math.isnan(value) for value in values):
                yield first, second, values, shared_numbers(line.looks[-1], *places[-1])


def of_units(line: Line) -> list[str]:
    """Layers most of whose outputs have no gradient from any part: the same ones, in two looks or more."""
    dead = []
    for layer in line.looks[-1].layers:
        same = [one for look in line.looks for one in look.layers if one.name == layer.name]
        always = set.intersection(*(set(one.dead) for one in same))
        reached = max(layer.outputs - len(one.dead) for one in same)
        is_steady = len(same) > 1 and layer.outputs - len(always) <= _CHOSEN * reached
        if layer.outputs > 1 and is_steady and len(always) > _DEAD * layer.outputs:
            dead.append(f"{layer.name} ({len(always)} of {layer.outputs})")
    if not dead:
        return []
    return [
        f"most outputs of {listed(dead)} have no gradient from any loss at every step seen: dead ReLUs, or a part that "
        "is masked away; a leaky activation, a smaller learning rate or another initialisation brings them back"
    ]


def of_flow(line: Line) -> list[str]:
    """Gradients that vanish on the way to the first layers or in the course of training, or grow without bounds."""
    looks = [look for look in line.looks if look.layers]
    if not looks:
        return []
    sizes = [_relative_sizes(look) for look in looks]
    name = looks[0].layers[0].name
    if not line.is_young and all(0 < each.get(name, 0) < _VANISHED for each in sizes):
        return [
            f"the gradient vanishes on its way to {name}, where a number has less than {_VANISHED:g} of the "
            "largest at every step seen: a normalisation, a residual connection or another activation lets it through"
        ]
    for one, size in sizes[0].items():
        if size > _ALIVE and 0 < sizes[-1].get(one, 0) < _VANISHED:
            return [
                f"the gradient at {one} fell from {_number(size)} to {_number(sizes[-1][one])} of the largest between "
                f"steps {looks[0].step} and {looks[-1].step}: saturated units, or a learning rate that is too large"
            ]
    wholes = [math.hypot(*(flow_of(layer) for layer in look.layers)) for look in looks]
    plain = [_without_factors(look, line) for look in looks]  # a loss that is warmed up grows with its factor
    if wholes and all(0 < _EXPLODED * norms[0] < norms[-1] < math.inf for norms in (wholes, plain)):
        before = {layer.name: flow_of(layer) for layer in looks[0].layers}
        growth = {one.name: flow_of(one) / before[one.name] for one in looks[-1].layers if before.get(one.name)}
        return [
            f"the gradient grows from {_number(wholes[0])} to {_number(wholes[-1])}, most at "
            f"{max(growth, key=lambda one: growth[one])}: a smaller learning rate, or clipping by its norm"
        ]
    return []


def _relative_sizes(look: PassSeen) -> dict[str, float]:
    """By module: the gradient by a number, of the largest in modules that the same parts reach as the first's."""
    same = [layer for layer in look.layers if layer.parts == look.layers[0].parts]  # of one network
    sizes = {layer.name: flow_of(layer) / math.sqrt(layer.numbers) for layer in same}
    largest = max(sizes.values())
    return {name: size / largest for name, size in sizes.items()} if 0 < largest < math.inf else {}


def suggested(look: PassSeen) -> dict[str, float]:
    """Factors with which each part would move the shared parameters equally far; the middle one's stays."""
    norms = {part.name: math.sqrt(look.gramian[k][k]) for k, part in enumerate(look.parts)}
    tasks = [part for part in look.parts if not part.is_penalty]
    known = {p.name: p.factor for p in tasks if p.factor and norms[p.name] > 0 and math.isfinite(norms[p.name])}
    if len(known) < 2:
        return {}
    middle = sorted(norms[name] for name in known)[len(known) // 2]
    return {name: factor * middle / norms[name] for name, factor in known.items()}


def _without_factors(look: PassSeen, line: Line) -> float:
    """The norm of all gradients, each without its factor, of parts that have one in every look."""
    known = [name for name in line.names if all(line.factors(name))]
    parts = [(norm_of(look, k), part.factor) for k, part in enumerate(look.parts) if part.name in known]
    return math.hypot(*(norm / factor for norm, factor in parts if factor))


def _are_comparable(look: PassSeen, *names: str) -> bool:
    """Whether neither gradient is so small that its direction matters little."""
    norms = sorted(math.sqrt(look.gramian[k][k]) for k in (place_of(look, name) for name in names))
    return norms[0] >= COMPARABLE * norms[1]


def _number(value: float) -> str:
    return f"{value + 0.0:.3g}"  # -0 is 0


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.2g} %"


_RULES: list[Callable[[Line], list[str]]] = [
    of_numbers,
    of_silence,
    of_weights,
    of_reduction,
    of_units,
    of_flow,
    of_size,
    of_conflict,
    of_twins,
    of_small_factors,
]
