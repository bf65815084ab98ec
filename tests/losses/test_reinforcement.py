"""Losses of reinforcement learning equal their papers' formulas, written in ratios and loops."""

import numpy as np
import pytest
import torch
from laws import Case, laws_for
from torch.distributions import Categorical
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

import equipoise as eq
from equipoise.losses.reinforcement import (
    PPOClipLoss,
    clipped_value,
    double_q_learning,
    entropy_bonus,
    policy_gradient,
    ppo_clip,
    q_learning,
)


def numbers(count):
    def made(n, generator):
        return tuple(torch.randn(count, n, 2, generator=generator, dtype=torch.float64))

    return made


def transitions(n, generator, tables=1):
    q_values, *following = 2 * torch.randn(1 + tables, n, 3, generator=generator, dtype=torch.float64)
    actions = torch.randint(3, (n,), generator=generator)
    rewards = 2 * torch.randn(n, generator=generator, dtype=torch.float64)
    return q_values, actions, rewards, *following, torch.rand(n, generator=generator) < 0.3


CASES = [
    Case("policy gradient", policy_gradient, numbers(2)),
    Case("ppo clip", ppo_clip, numbers(3)),
    Case("clipped value", clipped_value, numbers(3), keywords={"clip": 0.5}),
    Case("q learning", q_learning, transitions),
    Case("q learning, squares", q_learning, transitions, keywords={"delta": float("inf"), "discount": 0.5}),
    Case("double q learning", double_q_learning, lambda n, generator: transitions(n, generator, tables=2)),
    Case("entropy bonus", entropy_bonus, numbers(1)),
]
test_laws, test_compiles = laws_for(CASES)


def drawn(make, n=200, seed=1):
    return make(n, torch.Generator().manual_seed(seed))


def test_policy_gradient_is_that_of_the_expected_return():
    """A bandit: with every action weighed by its probability, the gradient is minus that of sum_a pi(a) A(a)."""
    logits, advantages = torch.randn(5, dtype=torch.float64, requires_grad=True), torch.randn(5, dtype=torch.float64)
    log_probs = logits.log_softmax(dim=0)
    losses = policy_gradient(log_probs, advantages, reduction="none")
    (slope,) = torch.autograd.grad((log_probs.detach().exp() * losses).sum(), logits, retain_graph=True)
    (expected,) = torch.autograd.grad(-(log_probs.exp() * advantages).sum(), logits)
    assert_close(slope, expected)


def test_ppo_clip_is_its_formula():
    log_probs, old_log_probs, advantages = drawn(numbers(3))
    ratios = log_probs.exp() / old_log_probs.exp()
    for clip in (0.1, 0.2, 0.7):
        expected = -torch.minimum(ratios * advantages, ratios.clamp(1 - clip, 1 + clip) * advantages)
        assert_close(ppo_clip(log_probs, old_log_probs, advantages, clip=clip, reduction="none"), expected)


def test_ppo_clip_takes_a_number_of_numpy():
    arguments = drawn(numbers(3))
    assert_close(ppo_clip(*arguments, clip=np.float32(0.25)), ppo_clip(*arguments, clip=0.25))


def test_ppo_clip_begins_as_the_policy_gradient():
    log_probs, _, advantages = drawn(numbers(3))
    log_probs.requires_grad_()
    (slope,) = torch.autograd.grad(ppo_clip(log_probs, log_probs.detach(), advantages), log_probs)
    (expected,) = torch.autograd.grad(policy_gradient(log_probs, advantages), log_probs)
    assert_close(slope, expected)


def test_ppo_clip_has_no_slope_where_the_gain_is_clipped():
    """Ratios 1.5 and 0.5; a good action's rise and a bad one's fall are clipped, the reverse counts in full."""
    log_probs = torch.tensor([1.5, 1.5, 0.5, 0.5]).log().requires_grad_()
    advantages = torch.tensor([1.0, -1.0, 1.0, -1.0])
    losses = ppo_clip(log_probs, torch.zeros(4), advantages, reduction="none")
    assert_close(losses.detach(), torch.tensor([-1.2, 1.5, -0.5, 0.8]))
    (slope,) = torch.autograd.grad(losses.sum(), log_probs)
    assert_close(slope, torch.tensor([0.0, 1.5, -0.5, 0.0]))


def test_ppo_clip_of_a_huge_ratio_has_a_finite_gradient():
    """exp(200) is beyond float32, and the clipped side does not need it."""
    log_probs = torch.tensor([200.0, -200.0], requires_grad=True)
    loss = ppo_clip(log_probs, torch.zeros(2), torch.tensor([1.0, -1.0]), reduction="sum")
    assert_close(loss.item(), -1.2 + 0.8)
    assert_close(torch.autograd.grad(loss, log_probs)[0], torch.zeros(2))


def test_clipped_value_is_its_formula():
    values, old_values, returns = drawn(numbers(3))
    clipped = old_values + (values - old_values).clamp(-0.5, 0.5)
    expected = torch.stack([(values - returns) ** 2, (clipped - returns) ** 2]).amax(dim=0)
    assert_close(clipped_value(values, old_values, returns, clip=0.5, reduction="none"), expected)
    assert_close(clipped_value(values, old_values, returns, clip=float("inf")), F.mse_loss(values, returns))


def test_clipped_value_has_no_slope_past_its_step():
    """Of old value 0 and return 3, a value of 2 has gone past 0.5 already; one of 0.2 has the slope of the square."""
    values = torch.tensor([2.0, 0.2], requires_grad=True)
    losses = clipped_value(values, torch.zeros(2), torch.full((2,), 3.0), clip=0.5, reduction="none")
    assert_close(losses.detach(), torch.tensor([2.5**2, 2.8**2]))
    (slope,) = torch.autograd.grad(losses.sum(), values)
    assert_close(slope, torch.tensor([0.0, -5.6]))


def huber(error):
    return error**2 / 2 if abs(error) <= 1 else abs(error) - 0.5


def test_q_learning_is_a_loop():
    q_values, actions, rewards, following, terminated = drawn(transitions)
    expected = []
    for q, action, reward, after, ended in zip(q_values, actions, rewards, following, terminated, strict=True):
        target = reward.item() if ended else reward.item() + 0.9 * max(after.tolist())
        expected.append(huber(q[action].item() - target))
    found = q_learning(q_values, actions, rewards, following, terminated, discount=0.9, reduction="none")
    assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_double_q_learning_is_a_loop():
    arguments = drawn(lambda n, generator: transitions(n, generator, tables=2))
    expected = []
    for q, action, reward, chooses, judges, ended in zip(*arguments, strict=True):
        best = max(range(3), key=lambda a: chooses[a])
        target = reward.item() if ended else reward.item() + 0.9 * judges[best].item()
        expected.append(huber(q[action].item() - target))
    found = double_q_learning(*arguments, discount=0.9, reduction="none")
    assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_double_q_learning_of_one_network_is_q_learning():
    q_values, actions, rewards, following, terminated = drawn(transitions)
    expected = q_learning(q_values, actions, rewards, following, terminated)
    assert_close(double_q_learning(q_values, actions, rewards, following, following, terminated), expected)


def test_q_learning_is_0_at_the_solution():
    """Action 0 pays 1 and stays, 1 pays nothing and ends. At discount 1/2, Q(0) = 1 + 1/2 · 2 = 2 and Q(1) = 0."""
    solution = torch.tensor([[2.0, 0.0], [2.0, 0.0]])
    actions, rewards, terminated = torch.tensor([0, 1]), torch.tensor([1.0, 0.0]), torch.tensor([False, True])
    assert q_learning(solution, actions, rewards, solution, terminated, discount=0.5) == 0
    assert q_learning(solution, actions, rewards, solution, terminated, discount=0.6) > 0


@pytest.mark.parametrize(("delta", "expected"), [(1.0, 2.5), (2.0, 4.0), (float("inf"), 4.5)])
def test_q_learning_goes_over_into_lines(delta, expected):
    """An error of 3: delta (3 - delta / 2) past delta, 3^2 / 2 before; the slope is clipped to delta."""
    q_values = torch.tensor([[3.0, 0.0]], requires_grad=True)
    ended = torch.tensor([True])
    loss = q_learning(q_values, torch.tensor([0]), torch.zeros(1), torch.zeros(1, 2), ended, delta=delta)
    assert_close(loss.item(), expected)
    assert_close(torch.autograd.grad(loss, q_values)[0], torch.tensor([[min(delta, 3.0), 0.0]]))


def test_what_follows_a_terminal_state_does_not_count():
    q_values, actions, rewards, following, _ = drawn(transitions)
    ended = torch.ones(200, dtype=torch.bool)
    expected = q_learning(q_values, actions, rewards, following, ended)
    assert_close(q_learning(q_values, actions, rewards, torch.full_like(following, torch.nan), ended), expected)


def test_targets_are_constants():
    q_values, actions, rewards, following, judges, terminated = (
        t.requires_grad_() if t.is_floating_point() else t
        for t in drawn(lambda n, generator: transitions(n, generator, tables=2))
    )
    one, other, third = numbers(3)(4, torch.Generator())
    for loss, constants in (
        (q_learning(q_values, actions, rewards, following, terminated), (rewards, following)),
        (
            double_q_learning(q_values, actions, rewards, following, judges, terminated),
            (rewards, following, judges),
        ),
        (policy_gradient(one.requires_grad_(), other.requires_grad_()), (other,)),
        (ppo_clip(one, other, third.requires_grad_()), (other, third)),
        (clipped_value(one, other, third, clip=0.5), (other, third)),
    ):
        assert torch.autograd.grad(loss, constants, allow_unused=True) == (None,) * len(constants)


def test_entropy_bonus_is_minus_the_entropy():
    (logits,) = 3 * torch.randn(1, 7, 4, 5, dtype=torch.float64)
    expected = -Categorical(logits=logits).entropy()
    assert_close(entropy_bonus(logits, reduction="none"), expected)
    assert_close(entropy_bonus(logits), expected.mean())


def test_an_action_that_is_not_allowed_is_as_if_removed():
    logits = torch.randn(6, 4, dtype=torch.float64)
    masked = torch.cat([logits, torch.full((6, 2), -torch.inf)], dim=1).requires_grad_()
    loss = entropy_bonus(masked)
    assert_close(loss, entropy_bonus(logits))
    (slope,) = torch.autograd.grad(loss, masked)
    assert slope.isfinite().all()
    assert (slope[:, 4:] == 0).all()


def test_a_decided_policy_has_a_finite_gradient():
    logits = torch.tensor([[1e4, 0.0, 0.0]], requires_grad=True)
    loss = entropy_bonus(logits)
    assert loss == 0
    assert_close(torch.autograd.grad(loss, logits)[0], torch.zeros(1, 3))


def test_module_is_its_function():
    arguments = drawn(numbers(3))
    module = PPOClipLoss(clip=0.1, reduction="sum")
    assert_close(module(*arguments), ppo_clip(*arguments, clip=0.1, reduction="sum"))
    assert repr(module) == "PPOClipLoss(clip=0.1, reduction='sum')"


def test_a_balancer_takes_the_losses_of_an_actor_and_a_critic():
    torch.manual_seed(0)
    trunk, actor, critic = torch.nn.Linear(3, 8), torch.nn.Linear(8, 2), torch.nn.Linear(8, 1)
    model = torch.nn.ModuleList([trunk, actor, critic])
    balancer = eq.Balancer(eq.MGDA(), model, tasks=["policy", "value"])
    features = trunk(torch.randn(6, 3)).tanh()
    log_probs = Categorical(logits=actor(features)).log_prob(torch.tensor([0, 1, 1, 0, 1, 0]))
    balancer({
        "policy": ppo_clip(log_probs, log_probs.detach(), torch.randn(6)),
        "value": clipped_value(critic(features).squeeze(-1), torch.zeros(6), torch.randn(6), clip=0.2),
    }).backward()  # fmt: skip
    assert trunk.weight.grad.abs().sum() > 0


V, COLUMN = torch.randn(4), torch.randn(4, 1)
Q, ACTIONS, ENDED = torch.randn(4, 3), torch.tensor([0, 1, 2, 0]), torch.zeros(4, dtype=torch.bool)
MISUSES = [
    (lambda: policy_gradient(V, COLUMN), r"log_probs and advantages must have the same shape.*squeeze\(-1\)"),
    (lambda: ppo_clip(V, COLUMN, V), r"log_probs and old_log_probs must have the same shape.*squeeze\(-1\)"),
    (lambda: ppo_clip(V, V, COLUMN), r"log_probs and advantages must have the same shape.*squeeze\(-1\)"),
    (lambda: ppo_clip(V, V, V, clip=0.0), r"clip must lie in \(0, 1\), got 0.0"),
    (lambda: ppo_clip(V, V, V, clip=1.0), r"clip must lie in \(0, 1\), got 1.0"),
    (lambda: PPOClipLoss(clip=2.0), r"clip must lie in \(0, 1\), got 2.0"),
    (lambda: PPOClipLoss(reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: clipped_value(COLUMN, V, V, clip=0.2), r"values and old_values must have the same shape.*squeeze"),
    (lambda: clipped_value(V, V, COLUMN, clip=0.2), r"values and returns must have the same shape.*squeeze"),
    (lambda: clipped_value(V, V, V, clip=-0.2), r"clip must lie in \(0, inf\], got -0.2"),
    (
        lambda: q_learning(Q, ACTIONS[:, None], V, Q, ENDED),
        r"actions must have shape \[N\] = \(4,\).*\(4, 1\): flatten",
    ),
    (lambda: q_learning(Q, ACTIONS, COLUMN, Q, ENDED), r"rewards must have shape \[N\] = \(4,\).*\(4, 1\): flatten"),
    (lambda: q_learning(Q, ACTIONS, V, Q, ENDED[:, None]), r"terminated must have shape \[N\].*\(4, 1\): flatten"),
    (lambda: q_learning(Q, ACTIONS, V, Q[:, 0], ENDED), r"q_values and next_q_values must have the same shape"),
    (lambda: q_learning(Q, ACTIONS, V, Q, ENDED.float()), r"terminated must be bool, got torch.float32.*\.bool\(\)"),
    (lambda: q_learning(Q, ACTIONS.float(), V, Q, ENDED), r"actions must be of an integer dtype.*\.long\(\)"),
    (lambda: q_learning(Q, ACTIONS + 1, V, Q, ENDED), r"actions must be 0 to 2, got 3: q_values have A there"),
    (lambda: q_learning(Q, ACTIONS, V, Q, ENDED, discount=1.5), r"discount must lie in \[0, 1\], got 1.5"),
    (lambda: q_learning(Q, ACTIONS, V, Q, ENDED, delta=0.0), r"delta must lie in \(0, inf\], got 0.0"),
    (lambda: q_learning(V, ACTIONS, V, V, ENDED), r"q_values must have shape \[N, A\], got \(4,\)"),
    (
        lambda: double_q_learning(Q, ACTIONS, V, Q, Q[:2], ENDED),
        r"q_values and next_target_q_values must have the same shape",
    ),
    (lambda: entropy_bonus(Q.softmax(dim=1)), r"logits are probabilities"),
    (lambda: entropy_bonus(V), r"logits must have shape \[N, ..., A\], got \(4,\)"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
