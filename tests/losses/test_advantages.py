"""Advantages equal a loop over the steps, and a formula over the group."""

import pytest
import torch
from torch.testing import assert_close

from equipoise.losses.advantages import gae, group_relative_advantages


def rollout(steps, environments=3, seed=0, ending=0.2):
    generator = torch.Generator().manual_seed(seed)
    rewards, values, after = torch.randn(3, steps, environments, generator=generator, dtype=torch.float64)
    terminated = torch.rand(steps, environments, generator=generator) < ending
    truncated = torch.rand(steps, environments, generator=generator) < ending
    return rewards, values, after, terminated, truncated


def loop(rewards, values, following, terminated, ended, discount, trace):
    """Schulman et al., from behind, for one environment."""
    advantages, later = [], 0.0
    for t in reversed(range(len(rewards))):
        goes_on = 0.0 if terminated[t] else 1.0
        delta = rewards[t].item() + discount * goes_on * following[t].item() - values[t].item()
        later = delta + (0.0 if ended[t] else discount * trace * later)
        advantages.insert(0, later)
    return torch.tensor(advantages, dtype=torch.float64)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 8, 9, 33])
def test_gae_is_a_loop(steps):
    rewards, values, after, terminated, truncated = rollout(steps)
    last = after[-1]
    advantages, returns = gae(rewards, values, last, terminated, discount=0.9, trace=0.8)
    following = torch.cat([values[1:], last[None]])
    for n in range(3):
        columns = (rewards[:, n], values[:, n], following[:, n], terminated[:, n], terminated[:, n])
        assert_close(advantages[:, n], loop(*columns, 0.9, 0.8))
    assert_close(returns, advantages + values)
    advantages, returns = gae(rewards, values, after, terminated, discount=0.9, trace=0.8, truncated=truncated)
    for n in range(3):
        columns = (rewards[:, n], values[:, n], after[:, n], terminated[:, n], terminated[:, n] | truncated[:, n])
        assert_close(advantages[:, n], loop(*columns, 0.9, 0.8))
    assert_close(returns, advantages + values)


def test_one_environment_needs_no_column():
    rewards, values, after, terminated, _ = rollout(7, environments=1)
    alone = gae(rewards[:, 0], values[:, 0], after[-1, 0], terminated[:, 0])
    for one, other in zip(alone, gae(rewards, values, after[-1], terminated), strict=True):
        assert_close(one, other[:, 0])


def test_episodes_in_a_row_are_as_if_run_one_by_one():
    """The first was cut and keeps the value of its last state; the second came to its end."""
    rewards, values, _, _, _ = rollout(9, environments=2)
    never = torch.zeros(4, 2, dtype=torch.bool)
    final = torch.tensor([0.7, -0.3], dtype=torch.float64)
    one = gae(rewards[:4], values[:4], final, never)
    end = torch.zeros(5, 2, dtype=torch.bool)
    end[-1] = True
    two = gae(rewards[4:], values[4:], torch.full_like(final, 99.0), end)
    after = torch.cat([values[1:4], final[None], values[5:], torch.full_like(values[:1], 99.0)])
    cut = torch.zeros(9, 2, dtype=torch.bool)
    cut[3] = True
    both = gae(rewards, values, after, torch.cat([never, end]), truncated=cut)
    for whole, first, second in zip(both, one, two, strict=True):
        assert_close(whole, torch.cat([first, second]))


def test_a_cut_is_not_an_end():
    """A reward of 1 and a value of 10 afterwards: cut, the return is 1 + 0.5 · 10; ended, it is 1."""
    one, zero, yes, no = torch.ones(1), torch.zeros(1), torch.tensor([True]), torch.tensor([False])
    after = torch.tensor([10.0])
    assert_close(gae(one, zero, after, no, discount=0.5, truncated=yes)[1], torch.tensor([6.0]))
    assert_close(gae(one, zero, after, yes, discount=0.5, truncated=no)[1], torch.tensor([1.0]))
    assert_close(gae(one, zero, after, yes, discount=0.5, truncated=yes)[1], torch.tensor([1.0]))
    assert_close(gae(one, zero, after[0], yes, discount=0.5)[1], torch.tensor([1.0]))


def test_a_full_trace_gives_the_discounted_rewards_and_none_the_next_value():
    """Eq. (17) and (18) of the paper: the limits of lambda."""
    rewards, values, after, _, _ = rollout(6)
    never = torch.zeros(6, 3, dtype=torch.bool)
    _, returns = gae(rewards, values, after[-1], never, discount=0.9, trace=1.0)
    expected = sum(0.9**t * rewards[t] for t in range(6)) + 0.9**6 * after[-1]
    assert_close(returns[0], expected)
    _, returns = gae(rewards, values, after[-1], never, discount=0.9, trace=0.0)
    assert_close(returns[0], rewards[0] + 0.9 * values[1])


def test_true_values_have_no_advantages():
    """A reward of 1 for ever is worth 1 / (1 - 0.9) = 10."""
    ones, never = torch.ones(20, dtype=torch.float64), torch.zeros(20, dtype=torch.bool)
    advantages, returns = gae(ones, 10 * ones, 10 * ones[0], never, discount=0.9)
    assert_close(advantages, torch.zeros_like(ones))
    assert_close(returns, 10 * ones)


def test_what_follows_an_end_does_not_count():
    rewards, values, after, _, _ = rollout(4)
    end = torch.zeros(4, 3, dtype=torch.bool)
    end[-1] = True
    for value in gae(rewards, values, torch.full_like(after[-1], torch.nan), end):
        assert value.isfinite().all()


def test_no_step_is_no_surprise():
    empty, none = torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.bool)
    assert [tuple(value.shape) for value in gae(empty, empty, torch.zeros(3), none)] == [(0, 3), (0, 3)]


def test_advantages_are_constants_in_full_precision():
    rewards, values, after, terminated, _ = rollout(6)
    halves = [t.half().requires_grad_() for t in (rewards, values, after[-1])]
    found = gae(*halves, terminated)
    expected = gae(*(t.float() for t in halves), terminated)
    for value, other in zip(found, expected, strict=True):
        assert value.dtype == torch.float32
        assert not value.requires_grad
        assert_close(value, other)
    group = group_relative_advantages(rewards.half().requires_grad_())
    assert group.dtype == torch.float32
    assert not group.requires_grad


def test_group_relative_is_its_formula():
    rewards = torch.randn(5, 8, dtype=torch.float64)
    expected = torch.stack([(group - group.mean()) / group.std() for group in rewards])
    assert_close(group_relative_advantages(rewards), expected)


def test_several_rewards_are_normalised_each_by_itself():
    rewards = torch.randn(5, 8, 3, dtype=torch.float64) * torch.tensor([1.0, 100.0, 0.01])
    each = [group_relative_advantages(rewards[..., r]) for r in range(3)]
    assert_close(group_relative_advantages(rewards), sum(each))
    weights = torch.tensor([1.0, 0.5, 2.0], dtype=torch.float64)
    assert_close(group_relative_advantages(rewards, weights=weights), each[0] + 0.5 * each[1] + 2.0 * each[2])
    assert_close(group_relative_advantages(rewards[..., :1]), each[0])


def test_scale_and_offset_do_not_matter():
    rewards = torch.randn(5, 8, dtype=torch.float64)
    expected = group_relative_advantages(rewards)
    assert_close(group_relative_advantages(7 * rewards - 3), expected)
    for scale in (1e-30, 1e30):
        assert_close(group_relative_advantages((scale * rewards).float()), expected.float(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10, 64])
def test_equal_rewards_have_no_advantage(size):
    """Also where their mean in float32 is not the reward."""
    for reward in (0.0, 0.1, -0.1, 0.7, -1 / 3, 1e8):
        assert (group_relative_advantages(torch.full((2, size), reward)) == 0).all()
    mixed = torch.stack([torch.full((2, 4), 0.1), torch.tensor([[0.0, 1.0, 0.0, 1.0]] * 2)], dim=2)
    assert_close(group_relative_advantages(mixed), group_relative_advantages(mixed[..., 1]))


def test_no_group_is_no_surprise():
    assert group_relative_advantages(torch.zeros(0, 4)).shape == (0, 4)
    assert group_relative_advantages(torch.zeros(0, 4, 2)).shape == (0, 4)


@pytest.mark.slow
def test_compiles():
    rewards, values, after, terminated, truncated = rollout(3)  # a step more is a loop's turn more to compile
    for call in (
        lambda: gae(rewards, values, after[-1], terminated),
        lambda: gae(rewards, values, after, terminated, truncated=truncated),
        lambda: (group_relative_advantages(rewards),),
    ):
        torch._dynamo.reset()
        for one, other in zip(torch.compile(call, fullgraph=True)(), call(), strict=True):
            assert_close(one, other)


R, ENDED = torch.randn(5, 2), torch.zeros(5, 2, dtype=torch.bool)
MISUSES = [
    (lambda: gae(R[:, 0], R[:, :1], R[0, 0], ENDED[:, 0]), r"rewards and values must have the same shape.*squeeze"),
    (lambda: gae(R, R, R[0], ENDED[:, :1]), r"rewards and terminated must have the same shape"),
    (lambda: gae(R, R, R[0], ENDED.float()), r"terminated must be bool, got torch.float32.*\.bool\(\)"),
    (lambda: gae(R, R, R[0, 0], ENDED), r"next_value must have shape \(2,\) beside rewards \(5, 2\), got \(\)"),
    (lambda: gae(R, R, R[:1], ENDED), r"next_value must have shape \(2,\).*the state after the last step"),
    (lambda: gae(R, R, R[0], ENDED, truncated=ENDED), r"next_value must have the rewards' shape.*before a reset"),
    (lambda: gae(R, R, R, ENDED, truncated=ENDED[0]), r"rewards and truncated must have the same shape"),
    (lambda: gae(R, R, R[0], ENDED, discount=1.01), r"discount must lie in \[0, 1\], got 1.01"),
    (lambda: gae(R, R, R[0], ENDED, trace=-0.1), r"trace must lie in \[0, 1\], got -0.1"),
    (lambda: gae(R.long(), R, R[0], ENDED), r"rewards must be floating point.*\.float\(\)"),
    (lambda: group_relative_advantages(R[:, 0]), r"rewards must have shape \[G, n\].*reshape to groups, got \(5,\)"),
    (lambda: group_relative_advantages(R, weights=R[0]), r"weights must have shape \[R\] .*stack the rewards"),
    (lambda: group_relative_advantages(R[None], weights=R[0, :1]), r"weights must have shape \[R\]"),
    (lambda: group_relative_advantages(R[:, :0]), r"rewards must have a sample in each group, got \(5, 0\)"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
