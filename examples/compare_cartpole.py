"""Reinforcement learning under several methods: policy, value and entropy of an actor-critic that balances a pole.

    python examples/compare_cartpole.py

Data comes from what the network itself does, so it is no case but a training loop, which ``lab.compare`` calls for
every method and seed. The tasks that are balanced are three losses; what is judged is the mean return of play.
"""

import gymnasium
import torch
from torch.nn import functional

import equipoise as eq
from actor_critic_cartpole import BATCH, EPOCHS, Agent, Player, log_probability
from equipoise import lab, losses

WEIGHTS = {"policy": 1.0, "value": 0.5, "entropy": 0.01}
JUDGED = {"policy": ("return", "higher")}  # 500 is the most


def train(arm, seed, updates=25):
    agent, player = Agent(), Player(seed)
    balancer = arm.balancer(agent, WEIGHTS)
    optimizer = torch.optim.Adam([*agent.parameters(), *balancer.parameters()], lr=1e-3)
    for _ in range(updates):
        states, actions, old_log_probs, advantages, returns = player.play(agent)
        advantages = (advantages - advantages.mean()) / advantages.std()
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(states)).split(BATCH):
                logits, values = agent(states[rows])
                log_probs = log_probability(logits, actions[rows])
                optimizer.zero_grad()
                terms = {
                    "policy": losses.ppo_clip(log_probs, old_log_probs[rows], advantages[rows]),
                    "value": functional.mse_loss(values, returns[rows]),
                    "entropy": losses.entropy_bonus(logits),
                }
                balancer(terms).backward()
                optimizer.step()
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
