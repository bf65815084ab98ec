"""Losses, gradients and weights that are not finite, zero, uneven or opposed."""

import math

import torch

from equipoise.doctor.findings.seen import Seen
from equipoise.names import listed

_UNEVEN = 10.0  # ratio of gradient norms from which on a plain sum is one task's
_OPPOSED = -0.1  # cosine below which two tasks conflict by more than noise
_ALONE = 0.999  # share of the weights


def of_numbers(seen: Seen) -> list[str]:
    """Losses and gradients that are not finite."""
    found = []
    for k, name in enumerate(seen.step.names):
        loss = float(seen.step.raw[k].detach())
        if not math.isfinite(loss):
            found.append(f"the loss of {name!r} is {loss}: look at its inputs; the balancer lets such a step through")
        elif seen.gramian is not None and not math.isfinite(float(seen.gramian[k, k])):
            found.append(
                f"the gradient of {name!r} is not finite though its loss is: look for sqrt, log or a division at 0"
            )
    return found


def of_gradients(seen: Seen) -> list[str]:
    """Gradients that are zero, of uneven length, opposed or parallel."""
    if seen.gramian is None or not bool(seen.gramian.isfinite().all()):
        return []
    names, norms = seen.step.names, seen.gramian.diagonal().sqrt()
    still = [name for name, norm in zip(names, norms.tolist(), strict=True) if norm == 0]
    found = []
    if still and len(still) < len(names):
        found.append(
            f"{listed(still)} have no gradient by the shared parameters in this step: look at their labels, masks and "
            "outputs"
        )
    moving = [k for k, norm in enumerate(norms.tolist()) if norm > 0]
    if len(moving) < 2:
        return found
    large, small = max(moving, key=lambda k: float(norms[k])), min(moving, key=lambda k: float(norms[k]))
    ratio = float(norms[large] / norms[small])
    if ratio > _UNEVEN:
        found.append(
            f"the gradient of {names[large]!r} is {ratio:.3g} times as long as that of {names[small]!r}: in a plain "
            "sum the shared parameters follow the first almost alone; see the weights suggested below"
        )
    pairs = {(i, j): float(seen.gramian[i, j] / norms[i] / norms[j]) for i in moving for j in moving if i < j}
    (i, j), cosine = min(pairs.items(), key=lambda pair: pair[1])
    if cosine < _OPPOSED:
        found.append(
            f"{names[i]!r} and {names[j]!r} conflict in this batch (cosine {cosine:.2f}): if that lasts "
            "(record.cosines over an epoch), a gradient method may help"
        )
    twins = [pair for pair, value in pairs.items() if value > 1 - 1e-6]
    if twins:
        i, j = twins[0]
        found.append(f"{names[i]!r} and {names[j]!r} have parallel gradients: are they two names of one loss?")
    return found


def of_weights(seen: Seen) -> list[str]:
    """What the method would answer, if that is one task or no number."""
    method, names = seen.balancer.method, seen.step.names
    if seen.weights is None or len(names) < 2:
        return []
    if not bool(torch.isfinite(seen.weights).all()):
        return [f"{method} gives weights {seen.weights.tolist()}: if it takes logarithms or ratios, losses must be > 0"]
    sizes = seen.weights.abs()
    if float(sizes.max()) > _ALONE * float(sizes.sum()) > 0 and seen.gramian is not None:
        parts = sizes * seen.gramian.diagonal().sqrt()
        if float(parts.max()) > _ALONE * float(parts.sum()):
            return [
                f"{method} gives all weight to {names[int(parts.argmax())]!r} in this step: if that lasts, bring "
                "gradients to one scale first (Chain(UnitNorm(), ...)) or keep a floor under the weights (Bounded)"
            ]
    return []
