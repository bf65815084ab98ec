"""Stable-Baselines3: A2C on CartPole, policy and value on one network for features."""

import torch
from stable_baselines3 import A2C
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn


class Features(BaseFeaturesExtractor):
    def __init__(self, observation_space):
        super().__init__(observation_space, features_dim=32)
        self.net = nn.Sequential(nn.Linear(observation_space.shape[0], 32), nn.Tanh())

    def forward(self, observations):
        return self.net(observations)


if __name__ == "__main__":
    model = A2C(
        "MlpPolicy",
        "CartPole-v1",
        ent_coef=0.01,
        policy_kwargs={"features_extractor_class": Features, "net_arch": [32]},
        seed=0,
        device="cpu",
    )
    model.learn(100)
    torch.save(model.policy.state_dict(), "model.pt")
