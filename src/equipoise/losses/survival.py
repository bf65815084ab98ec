"""Proportional hazards: who has the event first, among those still at risk, had the highest hazard.

Cox, Regression Models and Life-Tables, JRSS B 1972; ties as in Breslow, Covariance Analysis of Censored Survival Data,
Biometrics 1974, and Efron, The Efficiency of Cox's Likelihood Function for Censored Data, JASA 1977.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from equipoise.losses.checks import (
    require_dim,
    require_floating,
    require_same_shape,
    require_tensors,
    require_within,
    sees_values,
    wide,
)
from equipoise.losses.module import FunctionLoss
from equipoise.losses.reduction import Reduction, reduced_over

__all__ = ["CoxEfronLoss", "CoxLoss", "cox", "cox_efron"]


def cox(log_hazards: Tensor, times: Tensor, events: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """-log partial likelihood: of each event, log sum_{j: t_j >= t_i} exp(h_j) - h_i; ties as Breslow.

    Args:
        log_hazards: h [N], any real numbers: the model's output, with no bias needed.
        times: Of the event, or of when the sample was last seen without one [N], in any unit.
        events: Whether it was the event [N]: 1 or True; 0 or False where it is censored.
        reduction: ``"mean"`` over the events, ``"sum"``, or ``"none"`` (0 where censored). Without an event: 0.

    Raises:
        ValueError: If these are not of one shape [N], or events are not 0 or 1.

    >>> cox(torch.zeros(3), torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1, 0, 0]))  # log 3
    tensor(1.0986)
    """
    sample = _earliest_first(log_hazards, times, events)
    losses = sample.event * (sample.log_at_risk - sample.log_hazard)
    return _reduced(losses, sample, reduction)


def cox_efron(log_hazards: Tensor, times: Tensor, events: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """As ``cox``; of d events at one time, the l-th (from 0) leaves l/d of their hazards out of its sum.

    Nearer to the exact likelihood where many events share a time, as with days or months; the same where none do.

    Args:
        log_hazards: h [N], any real numbers: the model's output, with no bias needed.
        times: Of the event, or of when the sample was last seen without one [N], in any unit.
        events: Whether it was the event [N]: 1 or True; 0 or False where it is censored.
        reduction: ``"mean"`` over the events, ``"sum"``, or ``"none"`` (0 where censored; among tied events, which is
            the l-th follows their order in the batch). Without an event: 0.

    Raises:
        ValueError: If these are not of one shape [N], or events are not 0 or 1.

    >>> cox_efron(torch.zeros(2), torch.tensor([1.0, 1.0]), torch.tensor([1, 1]), reduction="sum")  # log 2 + log 1
    tensor(0.6931)
    """
    sample = _earliest_first(log_hazards, times, events)
    hazard = sample.event * (sample.log_hazard - sample.log_at_risk).exp()  # as a share of all at risk
    before = sample.event.cumsum(0) - sample.event
    place = sample.event * (before - before[sample.first])
    left_out = place / _sums(sample.event, sample.first).clamp(min=1) * _sums(hazard, sample.first)
    losses = sample.event * (sample.log_at_risk + torch.log1p(-left_out) - sample.log_hazard)
    return _reduced(losses, sample, reduction)


class _Samples(NamedTuple):
    """All [N], earliest first."""

    log_hazard: Tensor
    event: Tensor  # 1 or 0
    first: Tensor  # the place of the first sample with the same time
    log_at_risk: Tensor  # log of the summed hazards of all whose time is not before this sample's
    origin: Tensor  # the place in the batch


def _earliest_first(log_hazards: Tensor, times: Tensor, events: Tensor) -> _Samples:
    require_floating(log_hazards=log_hazards)
    require_tensors(times=times, events=events)
    require_dim("log_hazards", log_hazards, "[N] (squeeze(-1) an [N, 1])", least=1, most=1)
    require_same_shape(log_hazards=log_hazards, times=times, events=events)
    require_within("times", times, -float("inf"), float("inf"), "leave out samples without a time")
    _require_events(events)
    time, origin = times.sort(stable=True)
    log_hazard = wide(log_hazards)[origin]
    first = torch.searchsorted(time, time)
    log_at_risk = log_hazard.flip(0).logcumsumexp(0).flip(0)[first]
    return _Samples(log_hazard, events[origin].to(log_hazard.dtype), first, log_at_risk, origin)


def _require_events(events: Tensor) -> None:
    if sees_values(events):
        wrong = (events != 0) & (events != 1)
        if wrong.any():
            raise ValueError(
                f"events must be 0 or 1, got {events[wrong][0].item():g}: give 1 where the event was seen at "
                "that time, 0 where it was not"
            )


def _sums(values: Tensor, groups: Tensor) -> Tensor:
    """Of each sample, the sum of the values in its group."""
    return torch.zeros_like(values).index_add(0, groups, values)[groups]


def _times_and_events(targets: Tensor) -> tuple[Tensor, Tensor]:
    require_tensors(targets=targets)
    if targets.dim() != 2 or targets.shape[1] != 2:
        raise ValueError(
            f"targets must have shape [N, 2], time and event, got {tuple(targets.shape)}: "
            "torch.stack([times, events], dim=1)"
        )
    times, events = targets.unbind(dim=1)
    return times, events


def _reduced(losses: Tensor, sample: _Samples, reduction: Reduction) -> Tensor:
    """In the order of the batch, with the mean over events."""
    ordered = torch.empty_like(losses).scatter(0, sample.origin, losses) if reduction == "none" else losses
    return reduced_over(ordered, sample.event, reduction)


class CoxLoss(FunctionLoss):
    """``cox`` with its arguments, on targets [N, 2] of time and event."""

    function = staticmethod(cox)
    reduction: Reduction = "mean"

    def forward(self, log_hazards: Tensor, targets: Tensor) -> Tensor:
        """Of log hazards [N], and of targets [N, 2]: time, and 1 for an event or 0 for none."""
        return cox(log_hazards, *_times_and_events(targets), **self.arguments)


class CoxEfronLoss(FunctionLoss):
    """``cox_efron`` with its arguments, on targets [N, 2] of time and event."""

    function = staticmethod(cox_efron)
    reduction: Reduction = "mean"

    def forward(self, log_hazards: Tensor, targets: Tensor) -> Tensor:
        """Of log hazards [N], and of targets [N, 2]: time, and 1 for an event or 0 for none."""
        return cox_efron(log_hazards, *_times_and_events(targets), **self.arguments)
