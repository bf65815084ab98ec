"""Suggestions for targets that are numbers."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from equipoise.losses.depth import BerHuLoss, SILogLoss
from equipoise.losses.robust import AdaptiveRobustLoss
from equipoise.losses.suggest.kinds import Targets
from equipoise.losses.suggest.labels import facts_of_dtype, present_only
from equipoise.losses.suggest.suggestion import Call, Found, Suggestion, digits
from equipoise.losses.suggest.thresholds import (
    DISPERSED,
    HUBER,
    LEVELS,
    ORDERS,
    OUTLIER,
    OUTLIER_SHARE,
    OWN_UNIT,
    WIDE_DEPTH,
)

_NORMAL_MAD = 0.6745  # median absolute deviation of a standard normal


@dataclass(frozen=True)
class Spread:
    """How numbers lie, column by column [D]."""

    deviation: Tensor  # the standard one
    robust: Tensor  # 1.48 median absolute deviations
    outliers: float  # share of values more than OUTLIER robust deviations from the median

    @classmethod
    def of(cls, seen: Targets) -> "Spread":
        """Of targets [N] or [N, D]; an image is one column."""
        columns = seen.values.where(seen.present, torch.nan).double()
        columns = columns if columns.dim() == 2 else columns.reshape(-1, 1)
        distances = (columns - columns.nanmedian(dim=0).values).abs()
        robust = distances.nanmedian(dim=0).values / _NORMAL_MAD
        beyond = (distances > OUTLIER * robust) & (robust > 0)
        deviation = (columns - columns.nanmean(dim=0)).square().nanmean(dim=0).sqrt()
        return cls(deviation.nan_to_num(), robust.nan_to_num(), beyond.sum().item() / seen.known.numel())

    @property
    def width(self) -> float:
        """A typical robust deviation; the standard one where half of the values are equal."""
        return (self.robust.median() if self.robust.median() > 0 else self.deviation.median()).item()


def regression(seen: Targets) -> Found:
    """For numbers."""
    if not seen.floating:
        seen = replace(seen, present=torch.ones_like(seen.present))  # among integers that are numbers, -100 is one
    least, most = seen.range
    if least == most:
        return [f"all targets are {digits(least)}: there is nothing to learn"], [
            present_only(seen, Call(nn.MSELoss), _like(seen))
        ]
    if least > 0 and _percentiles_apart(seen.known) >= ORDERS:
        return _ratios(seen)
    facts, distinct = _facts(seen), seen.known.unique().numel()
    found = _by_spread(seen)
    if seen.whole and least >= 0 and distinct > LEVELS:
        dispersion = _dispersion(seen.known)
        reason = (
            f"for counts; their variance is {digits(dispersion)} times the mean, which is 1 in Poisson's distribution"
        )
        found.insert(0 if dispersion <= DISPERSED else 1, (_COUNTS, reason))
    elif seen.whole and most - least + 1 == distinct <= LEVELS and seen.columns == 1:
        facts.append(f"{distinct} whole numbers in a row: levels are task='ordinal', counts take nn.PoissonNLLLoss()")
    elif least >= 0 and most <= 1:
        found.append(
            (
                Call(nn.BCEWithLogitsLoss),
                "all lie in [0, 1]: as shares, with logits as the output, none is predicted outside",
            )
        )
    outputs = {
        _COUNTS.constructor: f"the logarithm of the rate, of the targets' shape, {seen.shape}",
        nn.BCEWithLogitsLoss: f"logits of the targets' shape, {seen.shape}",
    }
    return facts, [
        present_only(seen, call, outputs.get(call.constructor, _like(seen)), reason) for call, reason in found
    ]


def depth(seen: Targets) -> Found:
    """For distances [N, ..., H, W], positive where there is a reading."""
    positive = seen.known[seen.known > 0]
    facts = [f"depths from {digits(positive.min())} to {digits(positive.max())}"]
    missing = 1 - positive.numel() / seen.values.numel()
    if missing:
        facts.append(f"{missing:.1%} have no reading (0 or NaN)")
    read = replace(seen, values=seen.values.where(seen.present & (seen.values > 0), torch.nan), present=seen.values > 0)
    relative = Suggestion.of(
        Call(SILogLoss, lambd=0.5),
        f"positive depths (softplus or exp) of the targets' shape, {seen.shape}",
        "errors of logarithms, and half of a common factor forgiven: near and far count alike"
        + ("; leaves out what has no reading" if missing else ""),
    )
    zeros = ["gaps must be NaN: targets.where(targets > 0, torch.nan)"] if bool((seen.known == 0).any()) else []
    absolute = [
        present_only(
            read, Call(nn.L1Loss), _like(seen), "errors in the depths' own unit, unmoved by wrong readings", *zeros
        ),
        present_only(read, Call(BerHuLoss), _like(seen), "the same for small errors, squares for large ones", *zeros),
    ]
    return facts, [relative, *absolute] if _percentiles_apart(positive) >= WIDE_DEPTH else [*absolute, relative]


_COUNTS = Call(nn.PoissonNLLLoss)


def _ratios(seen: Targets) -> Found:
    """For positive numbers over orders of magnitude: their logarithms, first."""
    known = seen.known.double()
    least, most = digits(known.min()), digits(known.max())
    facts = [f"{known.numel()} positive numbers from {least} to {most}: relative errors matter", *facts_of_dtype(seen)]
    logs = replace(seen, values=seen.values.double().log())
    call, reason = _by_spread(logs)[0]
    return facts, [
        present_only(
            logs,
            call,
            f"a prediction of the logarithm, of the targets' shape, {seen.shape}",
            "train on targets.log() and take exp() of what is predicted",
            f"logarithms: {reason}",
        ),
        present_only(
            seen,
            _COUNTS,
            f"the logarithm of the prediction, of the targets' shape, {seen.shape}",
            "targets as they are: predicts their mean (exp of a predicted logarithm is nearer to their median)",
        ),
        present_only(seen, Call(nn.L1Loss), _like(seen), "if absolute errors matter after all: the median"),
    ]


def _by_spread(seen: Targets) -> list[tuple[Call, str]]:
    """Losses by how heavy the tails are."""
    spread = Spread.of(seen)
    if spread.outliers <= OUTLIER_SHARE:
        return [
            (Call(nn.MSELoss), "no outliers: squares predict the mean"),
            (Call(nn.L1Loss), "if the metric is the absolute error: predicts the median"),
        ]
    delta = float(f"{HUBER * spread.width:.3g}")
    return [
        (
            Call(nn.HuberLoss, delta=delta),
            f"{spread.outliers:.2%} lie more than {OUTLIER:g} robust deviations away: linear beyond delta = {HUBER} "
            "robust deviations of the targets; those of the residuals are smaller, so lower it as the fit improves",
        ),
        (
            Call(AdaptiveRobustLoss, alpha=0.0, scale=float(f"{spread.width:.3g}")),
            "if outliers are wrong rather than rare: they pull less the farther they lie",
        ),
        (Call(nn.L1Loss), "predicts the median, with nothing to choose"),
        (Call(nn.MSELoss), "only if the mean is wanted, outliers and all"),
    ]


def _facts(seen: Targets) -> list[str]:
    """Range, units, and what half of the values are."""
    (least, most), spread = seen.range, Spread.of(seen)
    facts = [f"{seen.known.numel()} numbers from {digits(least)} to {digits(most)}", *facts_of_dtype(seen)]
    if seen.values.dim() == 2 and seen.columns == 1:
        facts.append("the output must be [N, 1] too: against [N] it broadcasts to all pairs")
    widths = spread.deviation[spread.deviation > 0]
    if len(widths) < len(spread.deviation):
        facts.append("a column never changes: there is nothing to learn in it")
    elif widths.max() / widths.min() >= OWN_UNIT:
        facts.append(
            f"columns' deviations differ {digits(widths.max() / widths.min())} to 1: standardise each, or a few decide"
        )
    elif not 1 / OWN_UNIT < widths.median() < OWN_UNIT:
        facts.append(
            f"standard deviation {digits(widths.median())}: divide by it, or other tasks are drowned or drown this one"
        )
    if bool((spread.robust == 0).any()):
        facts.append(
            f"half of the values are {digits(seen.known.median())}: consider two tasks, whether so, and how much else"
        )
    return facts


def _percentiles_apart(known: Tensor) -> float:
    """The 99th over the 1st percentile."""
    ordered = known.double().sort().values
    return (ordered[round(0.99 * (len(ordered) - 1))] / ordered[round(0.01 * (len(ordered) - 1))]).item()


def _dispersion(known: Tensor) -> float:
    """Variance over mean."""
    return (known.double().var(unbiased=False) / known.double().mean()).item()


def _like(seen: Targets) -> str:
    return f"a prediction of the targets' shape, {seen.shape}"
