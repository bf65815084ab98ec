"""Losses of reinforcement learning beside torchrl's."""

import pytest
import torch
from torch import nn
from torch.distributions import Categorical
from torch.testing import assert_close

from equipoise.losses.reinforcement import clipped_value, double_q_learning, entropy_bonus, ppo_clip, q_learning

pytestmark = pytest.mark.filterwarnings("ignore")
objectives = pytest.importorskip("torchrl.objectives")
modules = pytest.importorskip("torchrl.modules")
tensordict = pytest.importorskip("tensordict")
tensordict_nn = pytest.importorskip("tensordict.nn")

N, A = 30, 3


def test_ppo_beside_torchrl():
    torch.manual_seed(0)
    policy, critic = nn.Linear(4, A), nn.Linear(4, 1)
    actor = tensordict_nn.ProbabilisticTensorDictSequential(
        tensordict_nn.TensorDictModule(policy, in_keys=["observation"], out_keys=["logits"]),
        tensordict_nn.ProbabilisticTensorDictModule(
            in_keys=["logits"], out_keys=["action"], distribution_class=Categorical, return_log_prob=True
        ),
    )
    loss = objectives.ClipPPOLoss(
        actor,
        modules.ValueOperator(critic, in_keys=["observation"]),
        clip_epsilon=0.2,
        clip_value=0.3,
        loss_critic_type="l2",
        critic_coeff=1.0,
        entropy_coeff=1.0,
        normalize_advantage=False,
    )
    states, actions = torch.randn(N, 4), torch.randint(A, (N,))
    advantages, returns = torch.randn(2, N)
    log_probs = Categorical(logits=policy(states)).log_prob(actions)
    old_log_probs = log_probs.detach() + 0.5 * torch.randn(N)
    values = critic(states).squeeze(-1)
    old_values = values.detach() + 0.5 * torch.randn(N)
    found = loss(
        tensordict.TensorDict(
            {
                "observation": states,
                "action": actions,
                "advantage": advantages[:, None],
                "value_target": returns[:, None],
                "state_value": old_values[:, None],
                "action_log_prob": old_log_probs,
            },
            [N],
        )
    )
    assert_close(ppo_clip(log_probs, old_log_probs, advantages), found["loss_objective"])
    assert_close(clipped_value(values, old_values, returns, clip=0.3), found["loss_critic"])
    assert_close(entropy_bonus(policy(states)), found["loss_entropy"])


@pytest.mark.parametrize("double", [False, True])
def test_q_learning_beside_torchrl(double):
    torch.manual_seed(0)
    online = nn.Linear(4, A)
    loss = objectives.DQNLoss(
        modules.QValueActor(online, in_keys=["observation"], action_space="categorical"),
        delay_value=True,
        double_dqn=double,
        loss_function="smooth_l1",
        action_space="categorical",
    )
    loss.make_value_estimator(gamma=0.9)
    target = nn.Linear(4, A)
    held = loss.target_value_network_params.flatten_keys(".")
    for name, parameter in target.named_parameters():
        (key,) = [key for key in held.keys() if key.endswith(name)]  # noqa: SIM118
        held[key].data.copy_(parameter.data)
    states, following = torch.randn(2, N, 4)
    actions, rewards = torch.randint(A, (N,)), 3 * torch.randn(N)
    terminated, truncated = torch.rand(2, N) < 0.3
    expected = loss(
        tensordict.TensorDict(
            {
                "observation": states,
                "action": actions,
                "next": {
                    "observation": following,
                    "reward": rewards[:, None],
                    "terminated": terminated[:, None],
                    "done": (terminated | truncated)[:, None],
                },
            },
            [N],
        )
    )["loss"]
    arguments = online(states), actions, rewards
    if double:
        found = double_q_learning(*arguments, online(following), target(following), terminated, discount=0.9)
    else:
        found = q_learning(*arguments, target(following), terminated, discount=0.9)
    assert_close(found, expected)
