"""What is wrong with a step, or worth knowing, each with the next action.

seen        what findings are drawn from
numbers     losses, gradients and weights
held        optimisers and checkpoints
feedback    what the method needs to hear
reached     parameters and their tasks
"""

from collections.abc import Callable

from equipoise.doctor.findings.feedback import of_feedback
from equipoise.doctor.findings.held import of_habits, of_optimisers
from equipoise.doctor.findings.numbers import of_gradients, of_numbers, of_weights
from equipoise.doctor.findings.reached import of_factors, of_reach
from equipoise.doctor.findings.seen import Seen

__all__ = ["Seen", "findings_of"]

_RULES: list[Callable[[Seen], list[str]]] = [
    of_numbers,
    of_optimisers,
    of_reach,
    of_factors,
    of_gradients,
    of_weights,
    of_feedback,
    of_habits,
]


def findings_of(seen: Seen) -> list[str]:
    """What could not be looked at, then errors, then what may be meant."""
    return [*seen.refusals, *(finding for rule in _RULES for finding in rule(seen))]
