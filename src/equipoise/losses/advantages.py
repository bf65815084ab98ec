"""Advantages: how much better an action was than expected.

Schulman et al., High-Dimensional Continuous Control Using Generalized Advantage Estimation, ICLR 2016, eq. (16) (GAE).
Shao et al., DeepSeekMath, 2024, section 4.1 (GRPO: relative to a group). Liu et al., GDPO: Group reward-Decoupled
Normalization Policy Optimization, 2026 (several rewards, each normalised by itself).

What is returned has no gradient; it is for ``policy_gradient``, ``ppo_clip`` and a value loss.
"""

import torch
from torch import Tensor

from equipoise.losses.checks import require_argument, require_dim, require_floating, require_same_shape, wide

__all__ = ["gae", "group_relative_advantages"]


def gae(
    rewards: Tensor,
    values: Tensor,
    next_value: Tensor,
    terminated: Tensor,
    *,
    discount: float = 0.99,
    trace: float = 0.95,
    truncated: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """A_t = δ_t + discount · trace · A_{t+1}, δ_t = r_t + discount · V(s_{t+1}) − V(s_t); and the returns A_t + V(s_t).

    Where a step terminated, V(s_{t+1}) and A_{t+1} are 0. Where it was truncated, by a time limit say, only A_{t+1} is
    0, and V(s_{t+1}) bootstraps the rest of the episode.

    Args:
        rewards: [T] of one environment, or [T, N] of N.
        values: V(s_t), of the same shape.
        next_value: V of the state after the last step, [] or [N]. With ``truncated``, V of the state after every step,
            of the rewards' shape: after a reset, s_{t+1} is not the next row's state.
        terminated: Bool of the rewards' shape, whether step t ended the episode.
        discount: In [0, 1].
        trace: λ in [0, 1]: 0 gives the one-step error δ (least variance), 1 the discounted return − V (least bias).
        truncated: Bool of the rewards' shape, whether the episode was cut off after step t.

    Returns:
        Advantages and returns, of the rewards' shape.

    Raises:
        ValueError: If shapes do not match, or a value is out of its range.

    >>> never = torch.zeros(2, dtype=torch.bool)
    >>> gae(torch.ones(2), torch.zeros(2), torch.tensor(4.0), never, discount=0.5, trace=0.5)  # δ = 1 and 1 + 2
    (tensor([1.7500, 3.0000]), tensor([1.7500, 3.0000]))
    """
    require_floating(rewards=rewards, values=values, next_value=next_value)
    require_dim("rewards", rewards, "[T] or [T, N]", least=1, most=2)
    require_same_shape(rewards=rewards, values=values)
    require_argument("discount", discount, low=0.0, high=1.0)
    require_argument("trace", trace, low=0.0, high=1.0)
    _require_flags(rewards, "terminated", terminated)
    _require_next(rewards, next_value, truncated)
    rewards, values, next_value = (wide(tensor.detach()) for tensor in (rewards, values, next_value))
    if truncated is None:
        ended, next_values = terminated, torch.cat([values[1:], next_value[None]])[: len(values)]  # none for T = 0
    else:
        ended, next_values = terminated | truncated, next_value
    deltas = rewards + discount * next_values.masked_fill(terminated, 0.0) - values
    decays = torch.full_like(deltas, discount * trace).masked_fill(ended, 0.0)
    advantages = _discounted_sums(deltas, decays)
    return advantages, advantages + values


def group_relative_advantages(rewards: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """(reward − mean) / standard deviation, both of the group; of several rewards, the weighted sum of these.

    The deviation is the unbiased one, as ``torch.std``. A group of equal rewards, or of one, has advantages 0. GDPO
    normalises the sum once more, over the batch; that is left to the caller.

    Args:
        rewards: [G, n] of G groups of n samples, or [G, n, R] of R rewards each.
        weights: Of each reward [R], by default 1.

    Returns:
        Advantages [G, n].

    Raises:
        ValueError: If shapes do not match.

    >>> group_relative_advantages(torch.tensor([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]]))
    tensor([[-1.,  0.,  1.],
            [ 0.,  0.,  0.]])
    """
    require_floating(rewards=rewards)
    require_dim("rewards", rewards, "[G, n] or [G, n, R]: reshape to groups", least=2, most=3)
    _require_weights(rewards, weights)
    if rewards.shape[1] == 0:
        raise ValueError(f"rewards must have a sample in each group, got {tuple(rewards.shape)}")
    advantages = _standardised(wide(rewards.detach()))
    if weights is not None:
        advantages = advantages * wide(weights.detach())
    return advantages if rewards.dim() == 2 else advantages.sum(dim=2)


def _discounted_sums(terms: Tensor, decays: Tensor) -> Tensor:
    """s_t = terms_t + decays_t · s_{t+1} [T, ...], in log2 T passes: each doubles the steps that are summed."""
    step = 1
    while step < len(terms):
        terms = torch.cat([terms[:-step] + decays[:-step] * terms[step:], terms[-step:]])
        decays = torch.cat([decays[:-step] * decays[step:], torch.zeros_like(decays[-step:])])
        step *= 2
    return terms


def _standardised(rewards: Tensor) -> Tensor:
    """Rewards [G, n, ...] with mean 0 and standard deviation 1 over dimension 1; exactly 0 where all are equal."""
    # scaled to [0, 1]: equal rewards become exactly 0, and no square underflows
    shifted = rewards - rewards.amin(dim=1, keepdim=True)
    span = shifted.amax(dim=1, keepdim=True)
    scaled = shifted / span.where(span > 0, 1.0)
    centred = scaled - scaled.mean(dim=1, keepdim=True)
    deviation = (centred.square().sum(dim=1, keepdim=True) / max(rewards.shape[1] - 1, 1)).sqrt()
    return centred / deviation.where(deviation > 0, 1.0)


def _require_flags(rewards: Tensor, name: str, flags: Tensor) -> None:
    require_same_shape(rewards=rewards, **{name: flags})
    if flags.dtype != torch.bool:
        raise ValueError(f"{name} must be bool, got {flags.dtype}: convert with .bool()")


def _require_next(rewards: Tensor, next_value: Tensor, truncated: Tensor | None) -> None:
    if truncated is not None:
        _require_flags(rewards, "truncated", truncated)
        if next_value.shape != rewards.shape:
            raise ValueError(
                f"next_value must have the rewards' shape {tuple(rewards.shape)} with truncated, got "
                f"{tuple(next_value.shape)}: give V of the state after every step, taken before a reset"
            )
    elif next_value.shape != rewards.shape[1:]:
        raise ValueError(
            f"next_value must have shape {tuple(rewards.shape[1:])} beside rewards {tuple(rewards.shape)}, got "
            f"{tuple(next_value.shape)}: give V of the state after the last step"
        )


def _require_weights(rewards: Tensor, weights: Tensor | None) -> None:
    if weights is None:
        return
    require_floating(weights=weights)
    if rewards.dim() != 3 or weights.shape != rewards.shape[2:]:
        raise ValueError(
            f"weights must have shape [R] beside rewards [G, n, R], got {tuple(weights.shape)} and "
            f"{tuple(rewards.shape)}: stack the rewards in the last dimension"
        )
