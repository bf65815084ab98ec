"""Losses of policies and values."""

from equipoise.losses.catalog.row import LossRow

_PPO = "Schulman et al., 2017"

ROWS = (
    LossRow(
        code="eq.losses.policy_gradient(log_probs, advantages)",
        kinds=("reinforcement",),
        use="one step on fresh actions (REINFORCE, A2C)",
        pitfalls="its value says nothing; more than one step on the same actions needs ppo_clip",
        paper="Williams, 1992",
        checked="the exact gradient of a bandit's expected return",
    ),
    LossRow(
        code="eq.losses.PPOClipLoss(clip=0.2)",
        kinds=("reinforcement",),
        use="several epochs on the same actions",
        pitfalls="bounds the ratio's gain, not the policy's step: watch the KL; normalise advantages over the batch",
        paper=_PPO,
        checked="its formula in ratios; policy_gradient at the old policy; torchrl",
    ),
    LossRow(
        code="eq.losses.clipped_value(values, old_values, returns, clip=0.2)",
        kinds=("reinforcement",),
        use="a critic beside ppo_clip that moves as slowly",
        pitfalls="ε is in units of the value, so returns must be scaled; often no better than nn.MSELoss",
        paper="Engstrom et al., ICLR 2020",
        checked="MSE at an infinite clip; hand-derived values; torchrl",
    ),
    LossRow(
        code="eq.losses.q_learning(q_values, actions, rewards, next_q_values, terminated)",
        kinds=("reinforcement",),
        use="discrete actions from a replay buffer (DQN)",
        pitfalls="overestimates (double_q_learning does less); a time limit is not a termination",
        paper="Mnih et al., Nature 2015",
        checked="a loop over the transitions; the fixed point of a small decision process; torchrl",
    ),
    LossRow(
        code=(
            "eq.losses.double_q_learning(q_values, actions, rewards, next_q_values, next_target_q_values, terminated)"
        ),
        kinds=("reinforcement",),
        use="as q_learning, with less overestimation",
        pitfalls="the online network is evaluated at s' too",
        paper="van Hasselt et al., AAAI 2016",
        checked="q_learning where both networks agree; a loop over the transitions; torchrl",
    ),
    LossRow(
        code="eq.losses.entropy_bonus",
        kinds=("reinforcement",),
        use="exploration: a small weight beside the policy's loss",
        pitfalls="a gradient method gives it a full voice: better add it to the policy's loss than make it a task",
        checked="torch.distributions; forbidden actions removed",
    ),
    LossRow(
        code="eq.losses.gae(rewards, values, next_value, terminated)",
        kinds=("reinforcement",),
        use="advantages and returns from a rollout of an actor-critic",
        pitfalls="a time limit is truncated, not terminated, and its last state's value is needed",
        paper="Schulman et al., ICLR 2016",
        checked="a loop over the steps; Monte Carlo returns at λ = 1; episodes run one by one; torchrl",
    ),
    LossRow(
        code="eq.losses.group_relative_advantages(rewards)",
        kinds=("reinforcement",),
        use="language models without a critic: samples of one prompt are a group (GRPO, GDPO)",
        pitfalls="a group of nearly equal rewards is blown up to deviation 1; the unbiased deviation, no epsilon",
        paper="Shao et al., 2024; Liu et al., 2026",
        checked="its formula; invariance to the rewards' scale and offset; equal rewards give 0",
    ),
)
