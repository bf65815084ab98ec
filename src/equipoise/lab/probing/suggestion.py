"""Suggested starting weights, and the reason for them."""

from collections.abc import Mapping
from dataclasses import dataclass

from equipoise.lab.probing.look import GradientSummary

ALIKE = 2.0  # the largest weight over the smallest below which equal weights are as good a start


@dataclass(frozen=True)
class WeightSuggestion:
    """Weights of the tasks with mean 1, empty where there is nothing to go by; the reason in words."""

    weights: Mapping[str, float]
    reason: str


def suggest(look: GradientSummary, user_weights: Mapping[str, float]) -> WeightSuggestion:
    """weight_k ∝ 1 / ‖gradient of the raw loss k by the shared parameters‖: every task then moves them equally far."""
    raw = {name: norm / user_weights[name] for name, norm in look.norms.items() if user_weights[name] > 0}
    still = [name for name, norm in raw.items() if not 0 < norm < float("inf")]
    if still or len(raw) < 2:
        why = f"the gradient of {', '.join(still)} is zero or not finite" if still else "only one task has a weight"
        return WeightSuggestion({}, f"No weights are suggested: {why}.")
    inverse = {name: 1.0 / norm for name, norm in raw.items()}
    scale = len(inverse) / sum(inverse.values())
    weights = {name: value * scale for name, value in inverse.items()}
    long, short = max(raw, key=lambda name: raw[name]), min(raw, key=lambda name: raw[name])
    ratio = raw[long] / raw[short]
    found = (
        f"One over the norm of each task's gradient by the shared parameters ({_moment(look)}, {look.batches} "
        f"batches): every task then moves what is shared equally far, where in a plain sum {long} moves it "
        f"{ratio:.3g} times as far as {short}."
    )
    if ratio < ALIKE:
        found += " That is less than a factor of 2: equal weights are as good a start."
    return WeightSuggestion(
        weights,
        f"{found} This is a start for a search, not its result: gradients of one norm say nothing about which task "
        "matters, nor about what does best on validation, and Adam undoes a scale that all tasks have in common.",
    )


def _moment(look: GradientSummary) -> str:
    return f"after {look.steps} steps of the plain sum" if look.steps else "at initialisation"
