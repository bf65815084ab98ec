"""Gradient diagnostics in sentences; the terminal and the page show the same."""

from equipoise.lab.evaluation import listing
from equipoise.lab.probing.look import GradientSummary, lowest
from equipoise.lab.probing.probe import Probe

FEW = 3  # pairs and layers that a sentence names
CLEAR = -0.1  # a mean cosine below which chance is not the same as no conflict


def give_headline(probe: Probe) -> str:
    """Whether tasks conflict, in one sentence."""
    look, when = probe.looks[-1], when_of(probe.looks[-1])
    least, batches = lowest(look.pairs), f"{look.batches} batch{'es' * (look.batches > 1)}"
    if opposed := look.opposed:
        first, count = opposed[0], len(opposed)
        some = f"{count} of {len(look.pairs)} pairs of tasks conflict{'s' * (count == 1)}"
        worst = f"{', worst' * (count > 1)}: {first.tasks[0]} and {first.tasks[1]} ({first.mean:+.2f})"
        return f"{when}, {some} over {batches}{worst}."
    if least is None or all(pair.batches < 2 for pair in look.pairs):
        return f"{when}, conflict between tasks was not tested with {batches}."
    if least.mean < CLEAR:
        return f"{when}, no conflict is significant over {batches}, but one may be there."
    which = "the two tasks do not" if len(look.pairs) == 1 else f"none of the {len(look.pairs)} pairs of tasks"
    return f"{when}, {which} conflict{'s' * (len(look.pairs) > 1)} significantly over {batches}."


def give_conflict(probe: Probe) -> str:
    """Between whom and where tasks conflict, and what that does not mean."""
    look = probe.looks[-1]
    opposed, least = look.opposed, lowest(look.pairs)
    at = (
        f"The lowest mean cosine is that of {least.tasks[0]} and {least.tasks[1]}, {least.mean:+.2f}. " if least else ""
    )
    if opposed:
        named = [f"{pair.tasks[0]} and {pair.tasks[1]} ({pair.mean:+.2f})" for pair in opposed[:FEW]]
        more = f" and {len(opposed) - FEW} more pairs" if len(opposed) > FEW else ""
        who = {pair.tasks for pair in opposed}
        layers = [
            layer.name for layer in look.layers if any(pair.opposed and pair.tasks in who for pair in layer.pairs)
        ]
        where = listing(layers) if len(layers) <= FEW else f"{len(layers)} of {len(look.layers)} layers"
        return (
            f"Significant conflict: {listing(named)}{more}{f', in {where}' if layers else ''}. That is a reason to try "
            "a gradient method, not a sign that it will help: only a comparison tells."
        )
    if least is None or all(pair.batches < 2 for pair in look.pairs):
        return f"{at}A test takes at least 2 batches that have labels of both tasks."
    if least.mean < CLEAR:
        return f"{at}More batches would tell it from chance."
    return f"{at}Removing conflict between gradients has little to work on here."


def when_of(look: GradientSummary) -> str:
    """The moment of a look, at the start of a sentence or as a title."""
    return f"After {look.steps} steps of the plain sum" if look.steps else "At initialisation"


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
