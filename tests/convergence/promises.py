"""What each method's paper promises of the point that it comes to, with a decaying step size; one row per method."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

MEAN = "minimum of a weighted sum"
POINT = "minimum of a scalarisation"
FRONT = "Pareto-stationary point"
NOTHING = "nothing"


@dataclass(frozen=True)
class Promise:
    """``target`` (problem, start, method) -> the point, where what is tested is one."""

    promised: str  # by the paper
    tested: str  # what holds here: by the formula it may be more, and where an assumption is broken less
    why: str
    target: Callable[..., torch.Tensor] | None = None
    arguments: dict[str, Any] = field(default_factory=dict)  # for three tasks; two take the first two numbers


def _weighted(*weights):
    return lambda problem, start, method: problem.point(weights[: len(problem.centres)])


def _least(scalar):
    return lambda problem, start, method: problem.least(scalar)


def _mean(why, at=(1.0, 1.0, 1.0), **arguments):
    return Promise(MEAN, MEAN, why, _weighted(*at), arguments)


def _fades(why):
    return Promise(NOTHING, MEAN, why, _weighted(1.0, 1.0, 1.0))


def _point(why, target, promised=POINT, **arguments):
    return Promise(promised, POINT, why, target, arguments)


def _front(why, promised=FRONT, **arguments):
    return Promise(promised, FRONT, why, None, arguments)


def _settles(why, **arguments):
    return _front(why, NOTHING, **arguments)


def _nothing(why, **arguments):
    return Promise(NOTHING, NOTHING, why, None, arguments)


def _worst_half(losses):
    """CVaR: of two losses the worst, of three the worst and half of the second."""
    first, second = losses.sort(descending=True).values[:2]
    return first if len(losses) == 2 else (first + second / 2) / 1.5


def _uw_plus(losses):
    """min over s > 0 of loss / (2 s) + log(1 + s), where 2 s^2 = loss (1 + s); summed."""
    s = (losses + (losses**2 + 8 * losses).sqrt()) / 4
    return (losses / (2 * s) + s.log1p()).sum()


def _within(losses, limit=2.3):
    """The main tasks' sum, with an exact penalty for the second task's limit."""
    return losses.sum() - losses[1] + 100 * (losses[1] - limit).clamp(min=0)


_LOGS = _least(lambda losses: losses.log().sum())
_WORST = _least(torch.max)
_FIRST = _weighted(1.0, 0.0, 0.0)

# Their steps grow as gradients vanish, as their -1/3rd power, so that the last point hovers about the end, and how far
# from it is a matter of rounding: what comes to rest is the average point of the last half.
HOVERING = {"fairgrad", "pivrg"}

PROMISES = {
    # by losses
    "sum": _mean("Gradient descent on the sum."),
    "fixed": _mean("Gradient descent on the weighted sum.", at=(1.0, 0.5, 2.0), weights=[1.0, 0.5, 2.0]),
    "scheduled": _mean(
        "That of the last row of weights.", at=(0.5, 2.0, 1.0), weights=[[1.0, 1.0, 1.0], [0.5, 2.0, 1.0]]
    ),
    "initial": _point(
        "The weighted sum by the inverse first losses.",
        lambda problem, start, method: problem.point(1 / problem(start)[0]),
    ),
    "rlw": _mean("Its weights have equal means, so that it is stochastic descent on the mean (Lin et al., section 3)."),
    "uw": _point("The likelihood's joint maximum, at which s = log loss: least sum of log losses.", _LOGS),
    "uw-plus": _point("The joint minimum over x and s, at which 2 s² = loss (1 + s).", _least(_uw_plus)),
    "uw-o": _point("Its gradient is that of the sum of log losses.", _LOGS),
    "log-sum": _point("The sum of log losses.", _LOGS),
    "gls": _point("The geometric mean, least where the sum of log losses is.", _LOGS),
    "imtl-l": _point("Joint minimum at which exp(-s) = loss: least sum of log losses.", _LOGS),
    "ema": _point("No promise; running means of losses come to rest at the losses: those of log-sum.", _LOGS, NOTHING),
    "dwa": _fades("A heuristic; as epoch means come to rest their ratios, and the weights, become equal."),
    "softadapt": _fades("A heuristic; as losses come to rest their slopes vanish and the weights become equal."),
    "lbtw": _fades("A heuristic; as losses come to rest within an epoch the weights become 1."),
    "uw-so": _settles("A heuristic; positive weights, which settle with the losses."),
    "cov": _settles("A heuristic; positive weights from statistics over all steps, which settle."),
    "relobralo": _settles("A heuristic; positive weights which settle but for their random look back."),
    "slaw": _settles("A heuristic; positive weights, bounded ratios of deviations."),
    "igb": _settles("A heuristic; positive weights, which settle with the losses."),
    "go4align": _settles("A heuristic; positive weights, which settle with the losses but for a drift of size rate."),
    "group-dro": _point("The least worst loss, for convex losses (Sagawa et al., proposition 2).", _WORST, rate=0.05),
    "cvar": _point("The least mean of the worst half.", _least(_worst_half)),
    "tchebycheff": _point("The least worst loss.", _WORST),
    "stch": _point(
        "The least smooth maximum.", _least(lambda losses: torch.logsumexp(losses / len(losses) / 0.1, dim=0))
    ),
    "stch-mtl": _point(
        "With mu = 1 the least sum of losses, each over its mean in an early epoch.",
        lambda problem, start, method: problem.point(1 / method.nadir),
        warmup=0,
    ),
    "p-norm": _point("The least norm of the losses.", _least(lambda losses: losses.norm())),
    "famo": _front("For smooth losses bounded below, with small decay (Liu et al., section 3)."),
    "lagrangian": _point(
        "The least sum of the main losses within the limits.", _least(_within), limits=[None, 2.3, None], rate=0.05
    ),
    # by validation results
    "dtp": _settles("A heuristic; positive weights, which settle with the results."),
    "amtl": _settles(
        "A heuristic; positive weights of log losses, which settle with the results.", potential=[0.6] * 3
    ),
    "coba": _settles("A heuristic; positive weights, softmaxes of bounded slopes."),
    "plateau": _settles("A rule; positive weights, which only fall, to a lower bound, and so settle."),
    "stop-and-go": _fades("A rule; once all tasks are stopped, they train in the same steps."),
    # by the gramian
    "mgda": _front("Désidéri 2012: the common descent direction vanishes only there."),
    "pcgrad": _front("For two convex tasks (Yu et al., theorem 1); its weights are at least 1, so for more as well."),
    "nash-mtl": _front("Navon et al., theorem 5.4, for gradients independent elsewhere."),
    "fairgrad": _front("Ban & Ji's theorem, for gradients independent elsewhere."),
    "pivrg": _front("As fairgrad, of which it is the case alpha = 2 with shares.", baseline=[0.5] * 3),
    "capped-mgda": _front("Hu, Ho, Yu: a convex combination of gradients vanishes only there."),
    "upgrad": _front("Quinton & Rey, for smooth convex losses."),
    "dualproj": _front("No promise; non-negative weights, and zero only there.", NOTHING),
    "cagrad": _mean("For c < 1 (Liu et al., theorem 3.2)."),
    "imgrad": _mean("As cagrad: for c < 1 its direction descends on the mean."),
    "conicgrad": _mean("For c > 0 its direction descends on the mean, at least c of its length."),
    "aligned-mtl": Promise(
        MEAN,
        FRONT,
        "The abstract promises an optimum with weights chosen beforehand. Its direction is as long as the least "
        "singular value, and so zero all over the front: it stops where it meets it.",
    ),
    "config": _front("For unit gradients independent elsewhere (Liu et al., theorem on convex losses)."),
    "dcgd": _front("Hwang & Lim, for its two groups."),
    "pcd": _settles(
        "It promises a share of progress for every other task in each step. On the front only steps along it towards "
        "the other tasks' minima give that: with one other task, it slides there."
    ),
    "hard-priority": _point("No promise; g_p · d ≥ |g_p|²: the primary task's minimum.", _FIRST, NOTHING),
    "grad-cosine": _point("The main task's minimum (Du et al., proposition 1).", _FIRST),
    "gradvac": _settles("A heuristic; non-negative weights, at least 1 of the own gradient: zero only there."),
    "imtl-g": _nothing("Weights may be negative: with dependent gradients it may stop anywhere."),
    "gradnorm": _settles("A heuristic; weights that settle, none negative."),
    "clip": _settles("A step for a chain; positive weights by length.", max_norm=0.5),
    "unit-norm": _settles("A step for a chain; positive weights by length."),
    "running-norm": _settles("A step for a chain; positive weights by running length."),
    "max-norm": _settles("A step for a chain; positive weights by length."),
    "mean-norm": _settles("A heuristic; positive weights by running length."),
    "encodec": _settles("A heuristic; positive weights by running length."),
    "vqgan": _settles("A heuristic; positive weights by length."),
    "loss-scale": _point("A step for a chain; alone it descends on the sum of log losses.", _LOGS, NOTHING),
    "loss-norm": _settles("A step for a chain; positive weights by loss and length."),
    "krum": _nothing("Robust to corrupt gradients: it follows one of the tasks, to its minimum."),
    "ntkmtl": _settles("Its tables compare metrics; positive weights by length."),
    # by groups of parameters
    "metabalance": _nothing("A heuristic; its weights differ from tensor to tensor.", main=0),
    # by single coordinates
    "graddrop": _mean("Its mean over the draws is the sum: stochastic descent on it (Chen et al., section 3)."),
    "trimmed-mean": _nothing("Robust to corrupt gradients: the mean is trimmed by coordinates, not by tasks."),
    "median": _nothing("Robust to corrupt gradients: the middle by coordinates belongs to no weighting of the tasks."),
    "moco": _front("For rho -> 0 (Fernando et al., theorems of section 3).", rho=0.0),
    "excess-mtl": _front("He et al., for convex losses."),
    "db-mtl": _settles("A heuristic; positive weights by loss and running length."),
    "lr-annealing": _settles("A heuristic; positive weights by running length."),
    "adatask": _nothing("Every task moves by its own Adam: the sum of such steps is no gradient of a weighted sum."),
}


def made_for(num_tasks, value):
    """An argument for so many tasks: lists are cut."""
    if isinstance(value, list):
        is_rows = isinstance(value[0], list)
        return [made_for(num_tasks, row) for row in value] if is_rows else value[:num_tasks]
    return value
