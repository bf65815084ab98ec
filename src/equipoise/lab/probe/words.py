"""What a probe says, in sentences; the terminal and the page show the same."""

from equipoise.lab.evaluation import listing
from equipoise.lab.probe.look import Look, lowest
from equipoise.lab.probe.probe import Probe

FEW = 3  # pairs and layers that a sentence names
CLEAR = -0.1  # a mean cosine below which luck is not the same as no conflict


def give_conflict(probe: Probe) -> str:
    """Whether tasks pull apart, between whom and where, and what that does not say."""
    look = probe.looks[-1]
    when = f"After {look.steps} steps of the plain sum" if look.steps else "At the first weights"
    opposed = look.opposed
    if not opposed:
        return f"{when} {_nothing_found(look)}"
    named = [f"{pair.tasks[0]} and {pair.tasks[1]} ({pair.mean:+.2f})" for pair in opposed[:FEW]]
    more = f" and {len(opposed) - FEW} more pairs" if len(opposed) > FEW else ""
    who = {pair.tasks for pair in opposed}
    layers = [layer.name for layer in look.layers if any(pair.opposed and pair.tasks in who for pair in layer.pairs)]
    where = f", in {listing(layers)}" if 0 < len(layers) <= FEW else f", in {len(layers)} of {len(look.layers)} layers"
    return (
        f"{when} {len(opposed)} of {len(look.pairs)} pairs of tasks pull{'s' * (len(opposed) == 1)} apart by more than "
        f"the luck of {look.batches} batches: {listing(named)}{more}{where if layers else ''}. That is a reason to "
        "try a gradient method, not a sign that it will help: only a comparison tells."
    )


def _nothing_found(look: Look) -> str:
    """Whether there is little conflict, or too few batches to tell."""
    least, batches = lowest(look.pairs), f"{look.batches} batch{'es' * (look.batches > 1)}"
    at = f" (lowest: {least.tasks[0]} and {least.tasks[1]}, {least.mean:+.2f})" if least else ""
    if least is None or all(pair.batches < 2 for pair in look.pairs):
        return (
            f"whether tasks pull apart was not tested with {batches}{at}: it takes at least 2 that have labels of both "
            "(--batches)."
        )
    if least.mean < CLEAR:
        return f"no conflict is told apart from luck with {batches}{at}: more --batches would."
    pairs = f"none of the {len(look.pairs)} pairs of tasks pulls"
    pairs = "the two tasks do not pull" if len(look.pairs) == 1 else pairs
    return (
        f"{pairs} apart by more than the luck of {batches}: removing conflict between gradients has little to work on "
        "here."
    )


def give_cost(probe: Probe) -> str:
    """The cost of each kind of method in steps of the plain sum."""
    parts = [f"{kind.name} ({kind.method}) {kind.ratio:.2f}" for kind in probe.kinds[1:]]
    whole = " This network has no one tensor that all heads read, at which gradients could be compared more cheaply."
    cut = any(kind.name == "at the representation" for kind in probe.kinds)
    return f"A step takes, in steps of the plain sum: {listing(parts)}.{'' if cut else whole}"


def to_paste(probe: Probe) -> str:
    """Python with the suggested weights, empty where none are."""
    weights = {name: float(f"{weight:.2g}") for name, weight in probe.suggestion.weights.items()}
    return f"balancer = eq.Balancer(eq.Sum(), model, tasks={weights})" if weights else ""
