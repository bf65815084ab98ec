"""CoBa: let all tasks converge at one pace, and turn away from those that begin to diverge.

Gong et al., CoBa: Convergence Balancer for Multitask Finetuning of Large Language Models, EMNLP 2024.
"""

import torch
from torch import Tensor

from equipoise.arguments import whole_number, within
from equipoise.method import Weighting

_MEMORY = 10_000  # evaluations that the divergence factor looks back on; the paper's has no end


class CoBa(Weighting):
    """weight = DF · RCS + (1 - DF) · ACS, from the slopes α_k of the last validation losses, each over its first.

    RCS = softmax_k(K α_k / sum |α|) is large where a task converges slowly, ACS = softmax_k(-N α_k(t) / sum over
    its last N slopes |α_k|) where it does so faster than it used to, and DF = min(t softmax over time(-tau t
    α_max / sum |α_max|)(t), 1), with α_max the largest slope of all tasks, moves from the one to the other as
    tasks begin to diverge. The weights of all tasks sum to 1, and are 1/K until ``warmup`` evaluations.

    Call ``balancer.observe(losses, lower_is_better=losses)`` with validation losses: higher is better, as for every
    method, and that negates them. A slope is that of (first - result) / |first|, so any other result works as well. The
    paper evaluates one validation batch in every training step; with one evaluation per epoch, take a far smaller
    ``warmup`` and ``history``.

    Args:
        warmup: Evaluations, 2 or more, before a task's slope counts; about as many as there are validation batches.
        history: Evaluations N that a slope is fitted to; 2 to 5 times ``warmup``.
        tau: Positive; a large one answers divergence sooner.
    """

    first: Tensor
    curves: Tensor
    slopes: Tensor
    steepest: Tensor
    weights: Tensor

    def __init__(self, warmup: int = 100, history: int = 200, tau: float = 5.0) -> None:
        super().__init__()
        whole_number(2, warmup=warmup, history=history)
        if history < warmup:
            raise ValueError(f"history must not be below warmup={warmup}, got {history}")
        within("(0, inf)", tau=tau)
        self.warmup, self.history, self.tau = warmup, history, tau

    def bind(self, num_tasks: int) -> None:
        self.register_buffer("first", torch.full((num_tasks,), torch.nan))
        self.register_buffer("curves", torch.full((self.history, num_tasks), torch.nan))  # newest last
        self.register_buffer("slopes", torch.full((self.history, num_tasks), torch.nan))
        self.register_buffer("steepest", torch.full((_MEMORY,), torch.nan))
        self.register_buffer("weights", torch.full((num_tasks,), 1 / num_tasks))

    def observe(self, results: Tensor, tasks: Tensor) -> None:
        results, tasks = results.to(self.first), tasks.to(self.first.device)
        told = results.isfinite() & ~(self.first[tasks].isnan() & (results == 0))  # 0 is nothing to be relative to
        results, tasks = results[told], tasks[told]
        first = results.where(self.first[tasks].isnan(), self.first[tasks])
        self.first[tasks] = first
        curves = _followed(self.curves[:, tasks], (first - results) / first.abs())
        self.curves[:, tasks] = curves
        self.slopes[:, tasks] = _followed(self.slopes[:, tasks], _slope(curves, self.warmup))
        sloped = ~self.slopes[-1].isnan()
        if len(tasks) and sloped.any():
            self.steepest.copy_(_followed(self.steepest, self.slopes[-1, sloped].max()))
            self.weights[sloped] = self._balanced(self.slopes[:, sloped]) * sloped.float().mean()

    def sum_factor(self, num_tasks: int) -> float:
        """The weights of all tasks, present or not, sum to one."""
        return float(len(self.weights))

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        return (self.weights[tasks].to(losses) * losses).sum()

    def _balanced(self, slopes: Tensor) -> Tensor:
        now = slopes[-1]
        relative = torch.softmax(_in_means(now[None], now)[0], dim=0)
        absolute = torch.softmax(-_in_means(slopes.T, now[:, None])[:, 0], dim=0)
        past = self.steepest[~self.steepest.isnan()]
        soft = torch.softmax(-self.tau * _in_means(past[None], past)[0], dim=0)
        divergence = (len(past) * soft[-1]).clamp(max=1.0)
        return divergence * relative + (1 - divergence) * absolute


def _followed(past: Tensor, newest: Tensor) -> Tensor:
    """The past [N, ...], one shorter, and the newest."""
    return torch.cat([past[1:], newest[None]])


def _in_means(slopes: Tensor, numbers: Tensor) -> Tensor:
    """Numbers [K, ...] as multiples of the mean size of the slopes [K, N] that there are; 0 where all are flat."""
    size = slopes.abs().nanmean(dim=1, keepdim=True)
    return numbers / size.where(size > 0, torch.inf)


def _slope(curves: Tensor, warmup: int) -> Tensor:
    """Least-squares slopes [K] of curves [N, K], NaN where there are fewer than ``warmup`` points."""
    there = ~curves.isnan()
    places = torch.arange(len(curves), device=curves.device)[:, None].expand_as(curves).where(there, torch.nan)
    offset = places - places.nanmean(dim=0)
    slope = (offset * curves).nansum(dim=0) / offset.square().nansum(dim=0)
    return slope.where(there.sum(dim=0) >= warmup, torch.nan)
