"""What is wrong with a step, or worth knowing, each with the next action."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.optim import Optimizer

from equipoise.balancer import Balancer
from equipoise.chain import split
from equipoise.doctor.parts import LossPart
from equipoise.doctor.report import ParameterReach
from equipoise.monitor import HEADS, ends_in, line_for
from equipoise.names import listed
from equipoise.step import Step
from equipoise.thresholds import OPPOSED

_UNEVEN = 10.0  # ratio of gradient norms from which on a plain sum is one task's
_ALONE = 0.999  # share of the weights
_EXPLODED = 1e4  # times the gradient's norm of the first epoch
_FITS = {
    "over-fitting": "the validation loss rises while the training loss falls. Stop there, regularise, or weigh it less",
    "under-fitting": "both losses still fell in the last epoch. Train longer, or with a larger learning rate",
}


@dataclass
class Seen:
    """All that findings are drawn from."""

    balancer: Balancer
    step: Step
    optimizers: list[Optimizer]
    names: dict[Tensor, str]  # of the leaves
    gramian: Tensor | None = None
    weights: Tensor | None = None
    own: Tensor | None = None  # [K], the norms of gradients by what a task reaches alone
    single_task_tensors: list[str] = field(default_factory=list)
    reach: list[ParameterReach] = field(default_factory=list)
    parts: list[LossPart] = field(default_factory=list)
    fits: Mapping[str, str] = field(default_factory=dict)  # by task, what a recorder's curves show
    norms: Mapping[str, list[float]] = field(default_factory=dict)  # by task, the gradient's of recorded epochs
    refusals: list[str] = field(default_factory=list)  # what could not be looked at


def findings_of(seen: Seen) -> list[str]:
    """What could not be looked at, then errors, then what may be meant."""
    return [*seen.refusals, *(finding for rule in _RULES for finding in rule(seen))]


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
    """Gradients that are zero, of uneven norms, opposed or parallel."""
    if seen.gramian is None or not bool(seen.gramian.isfinite().all()):
        return []
    names, norms = seen.step.names, seen.gramian.diagonal().sqrt()
    zero = [name for name, norm in zip(names, norms.tolist(), strict=True) if norm == 0]
    found = []
    if zero and len(zero) < len(names):
        found.append(
            f"{listed(zero)} have no gradient by the shared parameters in this step: look at their labels, masks and "
            "outputs"
        )
    nonzero = [k for k, norm in enumerate(norms.tolist()) if norm > 0]
    if len(nonzero) < 2:
        return found
    large, small = max(nonzero, key=lambda k: float(norms[k])), min(nonzero, key=lambda k: float(norms[k]))
    ratio = float(norms[large] / norms[small])
    if ratio > _UNEVEN:
        found.append(
            f"the gradient of {names[large]!r} is {ratio:.3g} times as long as that of {names[small]!r}: in a plain "
            "sum the shared parameters follow the first almost alone; see the weights suggested below"
        )
    pairs = {(i, j): float(seen.gramian[i, j] / norms[i] / norms[j]) for i in nonzero for j in nonzero if i < j}
    (i, j), cosine = min(pairs.items(), key=lambda pair: pair[1])
    if cosine < OPPOSED:
        found.append(
            f"{names[i]!r} and {names[j]!r} conflict in this batch (cosine {cosine:.2f}): if that lasts "
            "(record.cosines over an epoch), a gradient method may help"
        )
        found += [
            f"of {part.task!r} it is {part.name!r} that conflicts with {part.against!r} (cosine {part.cosine:.2f})"
            for part in seen.parts
            if part.cosine < OPPOSED and {part.task, part.against} == {names[i], names[j]}
        ]
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


def of_heads(seen: Seen) -> list[str]:
    """Raw gradients of heads that dwarf the balanced one of shared parameters, with which their norm is clipped."""
    balancer, gramian, weights, own = seen.balancer, seen.gramian, seen.weights, seen.own
    if balancer.heads != "raw" or not split(balancer.method).takes_gradients:
        return []
    if gramian is None or weights is None or own is None:
        return []
    shared, raw = float((weights @ gramian @ weights).clamp(min=0).sqrt()), float(own.square().sum().sqrt())
    if not 0 < _UNEVEN * shared < raw < math.inf:
        return []
    longest = seen.step.names[int(own.argmax())]
    return [
        f"the heads keep raw gradients, {raw / shared:.3g} times as long in all as the balanced one of the shared "
        f"parameters, that of {longest!r} the longest: clipping the norm of all parameters would leave little of the "
        "shared step; clip heads and shared parameters apart, standardise the target, or take heads='weighted'"
    ]


def of_optimisers(seen: Seen) -> list[str]:
    """Parameters in none, learned weights under decay, a balancer that was not restored."""
    if not seen.optimizers:
        return []
    groups = [group for optimizer in seen.optimizers for group in optimizer.param_groups]
    held = {p for group in groups for p in group["params"]}
    found = []
    if not any(line.held for line in seen.reach):
        found.append(
            "the optimiser holds no parameter of this model: was the model made anew, or moved, after the optimiser?"
        )
    else:
        loose = [line.name for line in seen.reach if line.tasks and not line.held and not line.frozen]
        if loose:
            found.append(f"{listed(loose)} have a gradient and are in no optimiser: add them, or freeze them")
    learned = {name: p for name, p in seen.balancer.named_parameters() if p.requires_grad}
    missing = [name for name, p in learned.items() if p not in held]
    if missing:
        found.append(
            f"{listed(missing)} of the balancer are learned and in no optimiser: add balancer.parameters() to it"
        )
    decays = [
        group["weight_decay"]
        for group in groups
        if group.get("weight_decay")
        for p in group["params"]
        if any(p is one for one in learned.values())
    ]
    if decays:
        found.append(
            f"weight decay of {max(decays):g} pulls the learned weights to 0: give balancer.parameters() a group of "
            "their own with weight_decay 0"
        )
    taken = max((float(state.get("step", 0)) for one in seen.optimizers for state in one.state.values()), default=0.0)
    steps = seen.balancer.get_extra_state()["steps"]
    if steps == 0 and taken > 1 and seen.balancer.method.state_dict():
        found.append(
            f"the optimiser has taken {taken:.0f} steps and the balancer none: after a resume, load its state, too "
            "(balancer.load_state_dict)"
        )
    return found


def of_habits(seen: Seen) -> list[str]:
    """What is in order as a rule, and worth a thought."""
    found = []
    if any(leaf.grad is not None and bool(leaf.grad.any()) for leaf in seen.names if leaf.is_leaf):
        found.append(
            "there are gradients already, to which this step's are added: fine while accumulating, else call "
            "optimizer.zero_grad(), and no backward of the sum before the balanced one"
        )
    if seen.balancer.method.state_dict():
        found.append("the method has state: save balancer.state_dict() in every checkpoint, beside the optimiser's")
    return found


def of_reach(seen: Seen) -> list[str]:
    """Parts that no loss reaches, tasks that share nothing, heads that only look shared."""
    found = []
    if not any(line.tasks for line in seen.reach if not line.name.startswith("(")):
        found.append("no loss reaches a parameter of this model: give the model that made these losses")
    spare = [line.name for line in seen.reach if not line.tasks and not line.frozen]
    if spare:
        found.append(f"{listed(spare)} are reached by no loss of this batch: absent tasks, or parts without use")
    strange = [line.name for line in seen.reach if line.tasks and not line.given and not line.frozen]
    if strange:
        found.append(
            f"{listed(strange)} are reached and were not given to the balancer: they get the gradient of the total"
        )
    names = seen.step.names
    shared = {task for line in seen.reach if len(line.tasks) > 1 and line.given for task in line.tasks}
    apart = [name for name in names if name not in shared]
    if len(names) > 1 and not shared:
        found.append("no parameter is shared by two tasks: there is nothing to balance")
    elif len(names) > 1 and apart:
        found.append(
            f"{listed(apart)} share no parameter with another task: if that is not meant, look for a detach() or "
            "no_grad() between the trunk and their losses"
        )
    if seen.single_task_tensors:
        found.append(
            f"{listed(seen.single_task_tensors)} are reached by several losses, of which one alone has a gradient "
            f"there: {HEADS}"
        )
    return found


def of_factors(seen: Seen) -> list[str]:
    """Losses that may carry their weight already."""
    weights, step = seen.balancer.user_weights, seen.step
    twice = [n for n, loss in zip(step.names, step.raw, strict=True) if weights[n] != 1.0 and ends_in(loss, weights[n])]
    if twice:
        return [
            f"the last operation of the loss of {listed(twice)} multiplies by the very weight that the balancer "
            "applies: if that is the same weight, pass the raw loss"
        ]
    return []


def of_feedback(seen: Seen) -> list[str]:
    """Each call that the method needs, and whether it came so far."""
    balancer = seen.balancer
    found = []
    for call in sorted(balancer.method.needs):
        if call in balancer.heard:
            found.append(f"the method needs to hear balancer.{call}(); heard so far: yes")
        else:
            found.append(
                f"the method needs to hear balancer.{call}(), not heard so far: {line_for(call, balancer.names)}"
            )
    return found


def of_curves(seen: Seen) -> list[str]:
    """Over- and under-fitting, and gradients that grow without bounds, of recorded epochs."""
    found = []
    for fit, words in _FITS.items():
        if tasks := [repr(task) for task, verdict in seen.fits.items() if verdict == fit]:
            found.append(f"{fit} on {listed(tasks)}: {words}")
    grown = {task: each for task, each in seen.norms.items() if each[-1] > _EXPLODED * each[0] > 0}
    return found + [
        f"the gradient of {task!r} grew from {each[0]:.3g} in the first recorded epoch to {each[-1]:.3g} in the last: "
        "a smaller learning rate, or clipping by its norm"
        for task, each in grown.items()
    ]


_RULES: list[Callable[[Seen], list[str]]] = [
    of_numbers,
    of_optimisers,
    of_reach,
    of_factors,
    of_gradients,
    of_weights,
    of_heads,
    of_curves,
    of_feedback,
    of_habits,
]
