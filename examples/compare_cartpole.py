"""Reinforcement learning under several methods: policy, value and entropy of an actor-critic that balances a pole.

    python examples/compare_cartpole.py

Data comes from what the network itself does, so it is no case but a training loop, which ``lab.compare`` calls for
every method and seed. The tasks that are balanced are three losses; what is judged is the mean return of play.
"""

import gymnasium
import torch

import equipoise as eq
from actor_critic_cartpole import WEIGHTS, Agent, Player, learn
from equipoise import lab

JUDGED = {"policy": ("return", "higher")}  # 500 is the most


def train(arm, seed, updates=25):
    agent, player = Agent(), Player(seed)
    balancer = arm.balancer(agent, WEIGHTS)
    optimizer = torch.optim.Adam([*agent.parameters(), *balancer.parameters()], lr=1e-3)
    for _ in range(updates):
        learn(agent, player, balancer, optimizer)
    return {"policy/return": played(agent)}


@torch.no_grad()
def played(agent, episodes=20):
    """Mean return of episodes that no training saw, played with the likeliest actions."""
    envs, total, running = gymnasium.make_vec("CartPole-v1", episodes, "sync"), 0.0, torch.ones(episodes)
    states, _ = envs.reset(seed=10_000)
    while running.any():
        states, rewards, ends, cuts, _ = envs.step(agent(torch.tensor(states))[0].argmax(dim=1).numpy())
        total += float((running * torch.tensor(rewards)).sum())
        running *= torch.tensor(~(ends | cuts))
    return total / episodes


if __name__ == "__main__":
    methods = ["sum", "uw", eq.Clip(max_norm=0.5), "nash-mtl"]
    results = lab.compare(train, methods, seeds=5, tasks=JUDGED, title="CartPole")
    print(results.table())
    print(results.verdict.headline)
