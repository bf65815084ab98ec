"""Losses of reinforcement learning, on plain tensors: policies, values, temporal differences.

Williams, Simple Statistical Gradient-Following Algorithms, 1992 (REINFORCE); Schulman et al., Proximal Policy
Optimization Algorithms, 2017, eq. (7); the clipped value loss is that of the same authors' code, studied by Engstrom et
al., Implementation Matters in Deep RL, ICLR 2020; Mnih et al., Human-level control through deep reinforcement learning,
Nature 2015; van Hasselt et al., Deep Reinforcement Learning with Double Q-learning, AAAI 2016, eq. (4), in which the
target network judges (double DQN).

Advantages, returns and all that a target is made of are constants: they are detached here. Shapes must be equal: [N]
beside [N, 1] is an error, not an [N, N]. A plain value loss is ``torch.nn.MSELoss``; ``equipoise.losses.advantages``
computes advantages.
The losses take more than an output and a target, so compute them and give the balancer the dictionary:

>>> import equipoise as eq
>>> policy, critic = torch.nn.Linear(3, 2), torch.nn.Linear(3, 1)
>>> model = torch.nn.ModuleList([policy, critic])
>>> balancer = eq.Balancer(eq.Sum(), model, tasks={"policy": 1.0, "value": 0.5, "entropy": 0.01})
>>> states, actions, advantages, returns = torch.randn(4, 3), torch.tensor([0, 1, 1, 0]), torch.randn(4), torch.randn(4)
>>> logits, values = policy(states), critic(states).squeeze(-1)
>>> log_probs = torch.distributions.Categorical(logits=logits).log_prob(actions)
>>> loss = balancer({
...     "policy": ppo_clip(log_probs, log_probs.detach(), advantages),
...     "value": torch.nn.functional.mse_loss(values, returns),
...     "entropy": entropy_bonus(logits),
... })
>>> loss.backward()
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from equipoise.losses.checks import (
    require_alike,
    require_argument,
    require_dim,
    require_floating,
    require_integers,
    require_logits,
    require_same_shape,
    require_tensors,
    sees_values,
    wide,
)
from equipoise.losses.module import FunctionLoss
from equipoise.losses.reduction import Reduction, reduced

__all__ = [
    "PPOClipLoss",
    "clipped_value",
    "double_q_learning",
    "entropy_bonus",
    "policy_gradient",
    "ppo_clip",
    "q_learning",
]


def policy_gradient(log_probs: Tensor, advantages: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """−log π(action) · advantage, whose gradient is minus that of the expected return.

    Args:
        log_probs: Of the actions taken, of any shape.
        advantages: Of the same shape.
        reduction: As in torch.

    Raises:
        ValueError: If shapes differ, or the tensors are not floating point.

    >>> policy_gradient(torch.tensor([-1.0, -2.0]), torch.tensor([3.0, -1.0]))  # (3 − 2) / 2
    tensor(0.5000)
    """
    require_alike(log_probs=log_probs, advantages=advantages)
    return reduced(-wide(log_probs) * wide(advantages.detach()), reduction)


def ppo_clip(
    log_probs: Tensor,
    old_log_probs: Tensor,
    advantages: Tensor,
    *,
    clip: float = 0.2,
    reduction: Reduction = "mean",
) -> Tensor:
    """−min(r A, clamp(r, 1 − clip, 1 + clip) A), r = π(action) / π_old(action).

    Args:
        log_probs: Of the actions taken, of any shape.
        old_log_probs: Under the policy that took them, of the same shape.
        advantages: A, of the same shape.
        clip: In (0, 1): a ratio beyond 1 ± clip gains nothing more.
        reduction: As in torch.

    Raises:
        ValueError: If shapes differ, or a value is out of its range.

    >>> ppo_clip(torch.tensor([1.5]).log(), torch.zeros(1), torch.tensor([2.0]))  # −1.2 · 2
    tensor(-2.4000)
    >>> ppo_clip(torch.tensor([1.5]).log(), torch.zeros(1), torch.tensor([-2.0]))  # 1.5 · 2: likelier, though bad
    tensor(3.)
    """
    require_alike(log_probs=log_probs, old_log_probs=old_log_probs, advantages=advantages)
    _require_clip(clip)
    log_ratio, advantages = wide(log_probs) - wide(old_log_probs.detach()), wide(advantages.detach())
    # the minimum clips a gain from above and a loss from below; clipped in logs, no exponential overflows on the way
    upper = torch.full_like(log_ratio, math.log1p(clip)).masked_fill(advantages < 0, math.inf)
    lower = torch.full_like(log_ratio, math.log1p(-clip)).masked_fill(advantages >= 0, -math.inf)
    return reduced(-log_ratio.clamp(lower, upper).exp() * advantages, reduction)


def clipped_value(
    values: Tensor, old_values: Tensor, returns: Tensor, *, clip: float, reduction: Reduction = "mean"
) -> Tensor:
    """max((v − R)², (clamp(v, v_old − clip, v_old + clip) − R)²); ``clip=inf`` is ``torch.nn.MSELoss``.

    Args:
        values: v, of any shape.
        old_values: v_old, the critic's when the data were collected, of the same shape.
        returns: R, of the same shape.
        clip: Above 0, in units of the values.
        reduction: As in torch.

    Raises:
        ValueError: If shapes differ, or a value is out of its range.

    >>> clipped_value(torch.tensor([2.0]), torch.tensor([0.0]), torch.tensor([3.0]), clip=0.5)  # (0.5 − 3)²
    tensor(6.2500)
    """
    require_alike(values=values, old_values=old_values, returns=returns)
    require_argument("clip", clip, low=0.0, open_low=True, infinite=True)
    values, old_values, returns = wide(values), wide(old_values.detach()), wide(returns.detach())
    clipped = values.clamp(old_values - clip, old_values + clip)
    return reduced(torch.maximum((values - returns).square(), (clipped - returns).square()), reduction)


def q_learning(
    q_values: Tensor,
    actions: Tensor,
    rewards: Tensor,
    next_q_values: Tensor,
    terminated: Tensor,
    *,
    discount: float = 0.99,
    delta: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """Huber(r + discount · max_a Q_target(s', a) − Q(s, action)), without the maximum where s' is terminal.

    Args:
        q_values: Of the online network at s [N, A].
        actions: Those taken [N], 0 to A - 1.
        rewards: r [N].
        next_q_values: Of the target network at s' [N, A].
        terminated: Bool [N], whether s' is terminal; not where a time limit cut the episode.
        discount: In [0, 1].
        delta: The error, above 0, from which the loss is linear: 1 is the paper's clipping, ``inf`` half the square.
        reduction: As in torch.

    Raises:
        ValueError: If shapes do not match, or a value is out of its range.

    >>> next_q_values, ended = torch.tensor([[0.0, 2.0]]), torch.tensor([False])
    >>> q_learning(torch.tensor([[1.0, 5.0]]), torch.tensor([0]), torch.ones(1), next_q_values, ended, discount=0.5)
    tensor(0.5000)
    """
    _require_transitions(q_values, actions, rewards, terminated, next_q_values=next_q_values)
    next_values = wide(next_q_values.detach()).amax(dim=1)
    return _temporal_difference(q_values, actions, rewards, next_values, terminated, discount, delta, reduction)


def double_q_learning(
    q_values: Tensor,
    actions: Tensor,
    rewards: Tensor,
    next_q_values: Tensor,
    next_target_q_values: Tensor,
    terminated: Tensor,
    *,
    discount: float = 0.99,
    delta: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """Huber(r + discount · Q_target(s', argmax_a Q(s', a)) − Q(s, action)): one network chooses, the other judges.

    Args:
        q_values: Of the online network at s [N, A].
        actions: Those taken [N], 0 to A - 1.
        rewards: r [N].
        next_q_values: Of the online network at s' [N, A]: they choose.
        next_target_q_values: Of the target network at s' [N, A]: they judge.
        terminated: Bool [N], whether s' is terminal; not where a time limit cut the episode.
        discount: In [0, 1].
        delta: The error, above 0, from which the loss is linear; ``inf``: half the square.
        reduction: As in torch.

    Raises:
        ValueError: If shapes do not match, or a value is out of its range.

    >>> chooses, judges, ended = torch.tensor([[3.0, 2.0]]), torch.tensor([[1.0, 9.0]]), torch.tensor([False])
    >>> double_q_learning(torch.zeros(1, 2), torch.tensor([0]), torch.zeros(1), chooses, judges, ended, discount=0.5)
    tensor(0.1250)
    """
    _require_transitions(
        q_values,
        actions,
        rewards,
        terminated,
        next_q_values=next_q_values,
        next_target_q_values=next_target_q_values,
    )
    next_values = _chosen(wide(next_target_q_values.detach()), next_q_values.detach().argmax(dim=1))
    return _temporal_difference(q_values, actions, rewards, next_values, terminated, discount, delta, reduction)


def entropy_bonus(logits: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """Σ_a π(a) log π(a): minus the entropy, so that minimising it keeps a categorical policy undecided.

    Args:
        logits: [N, ..., A], actions last; -inf for one that is not allowed.
        reduction: As in torch; ``"none"`` gives [N, ...].

    Raises:
        ValueError: If the logits are not floating point, have no batch, or are probabilities.

    >>> entropy_bonus(torch.zeros(3, 4))  # −log 4
    tensor(-1.3863)
    """
    require_floating(logits=logits)
    require_dim("logits", logits, "[N, ..., A]", least=2)
    require_logits(logits, dim=-1)
    log_probs = wide(logits).log_softmax(dim=-1)
    finite = log_probs.masked_fill(log_probs == -math.inf, 0.0)  # 0 log 0 is 0
    return reduced((log_probs.exp() * finite).sum(dim=-1), reduction)


def _temporal_difference(
    q_values: Tensor,
    actions: Tensor,
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    discount: float,
    delta: float,
    reduction: Reduction,
) -> Tensor:
    """Huber(r + discount · next_values − Q(s, action)); next_values [N], of s', are 0 where it is terminal."""
    require_argument("discount", discount, low=0.0, high=1.0)
    require_argument("delta", delta, low=0.0, open_low=True, infinite=True)
    targets = wide(rewards.detach()) + discount * next_values.masked_fill(terminated, 0.0)
    errors = _chosen(wide(q_values), actions) - targets
    return reduced(F.huber_loss(errors, torch.zeros_like(errors), delta=delta, reduction="none"), reduction)


def _chosen(q_values: Tensor, actions: Tensor) -> Tensor:
    """The value [N] of each row's action, of q_values [N, A] and actions [N]."""
    return q_values.gather(1, actions.long()[:, None]).squeeze(1)


def _require_clip(clip: float) -> None:
    require_argument("clip", clip, low=0.0, high=1.0, open_low=True, open_high=True)


def _require_transitions(
    q_values: Tensor, actions: Tensor, rewards: Tensor, terminated: Tensor, **next_values: Tensor
) -> None:
    """Raise unless this is a batch of N transitions with A actions."""
    require_floating(q_values=q_values, rewards=rewards, **next_values)
    require_tensors(actions=actions, terminated=terminated)
    require_dim("q_values", q_values, "[N, A]", least=2, most=2)
    require_same_shape(q_values=q_values, **next_values)
    for name, tensor in {"actions": actions, "rewards": rewards, "terminated": terminated}.items():
        if tensor.shape != q_values.shape[:1]:
            raise ValueError(
                f"{name} must have shape [N] = ({len(q_values)},) beside q_values [N, A] = {tuple(q_values.shape)}, "
                f"got {tuple(tensor.shape)}: flatten() it"
            )
    if terminated.dtype != torch.bool:
        raise ValueError(f"terminated must be bool, got {terminated.dtype}: convert with .bool()")
    _require_actions(actions, q_values.shape[1])


def _require_actions(actions: Tensor, num_actions: int) -> None:
    require_integers("actions", actions)
    if actions.numel() and sees_values(actions):
        least, most = (int(action) for action in actions.aminmax())
        if least < 0 or most >= num_actions:
            wrong = least if least < 0 else most
            raise ValueError(f"actions must be 0 to {num_actions - 1}, got {wrong}: q_values have A there")


class PPOClipLoss(FunctionLoss):
    """``ppo_clip`` with its arguments."""

    function = staticmethod(ppo_clip)
    check = staticmethod(_require_clip)
    clip: float = 0.2
    reduction: Reduction = "mean"
