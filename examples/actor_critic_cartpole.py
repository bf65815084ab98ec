"""An actor-critic on CartPole: policy, value and entropy as three tasks on one network.

    python examples/actor_critic_cartpole.py

Clipping each task's gradient by itself bounds whichever is large at the moment, which clipping the sum would take from
all of them. Rewards are scaled so that returns are near 1: a head learns small numbers sooner than large ones.
"""

import gymnasium
import torch
from torch import nn

import equipoise as eq
from equipoise import losses

UPDATES, STEPS, NUM_ENVS, EPOCHS, BATCH = 60, 64, 8, 6, 128
DISCOUNT, TRACE, REWARD = 0.99, 0.95, 0.02
WEIGHTS = {"policy": 1.0, "value": 0.5, "entropy": 0.01}


class Agent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.policy, self.value = nn.Linear(64, 2), nn.Linear(64, 1)

    def forward(self, states):
        features = self.trunk(states)
        return self.policy(features), self.value(features).squeeze(-1)


def log_probability(logits, actions):
    return logits.log_softmax(dim=-1).gather(-1, actions.unsqueeze(-1)).squeeze(-1)


class Player:
    """Plays on in several environments and remembers the returns of finished episodes."""

    def __init__(self, seed: int = 0) -> None:
        self.envs = gymnasium.make_vec(
            "CartPole-v1",
            num_envs=NUM_ENVS,
            vectorization_mode="sync",
            vector_kwargs={"autoreset_mode": gymnasium.vector.AutoresetMode.SAME_STEP},
        )
        self.states = torch.tensor(self.envs.reset(seed=seed)[0])
        self.running, self.returns = torch.zeros(NUM_ENVS), []

    @torch.no_grad()
    def play(self, agent):
        """STEPS steps of each environment, flattened: states, actions, log-probabilities, advantages, returns."""
        columns = {
            name: [] for name in ("states", "actions", "log_probs", "values", "rewards", "ends", "cuts", "lasts")
        }
        for _ in range(STEPS):
            logits, values = agent(self.states)
            actions = torch.distributions.Categorical(logits=logits).sample()
            states, rewards, ends, cuts, info = self.envs.step(actions.numpy())
            lasts = torch.zeros(NUM_ENVS)  # the value of the state in which an episode was cut, not the next one's
            for i in range(NUM_ENVS):
                if cuts[i]:
                    lasts[i] = agent(torch.tensor(info["final_obs"][i]))[1]
            row = (self.states, actions, log_probability(logits, actions), values, rewards, ends, cuts, lasts)
            for column, entry in zip(columns.values(), row, strict=True):
                column.append(torch.as_tensor(entry).clone())
            self.states = torch.tensor(states)
            self._count(rewards, ends | cuts)
        stacked = {name: torch.stack(column) for name, column in columns.items()}
        rewards = REWARD * stacked["rewards"].float() + DISCOUNT * stacked["lasts"]
        advantages, returns = losses.gae(
            rewards,
            stacked["values"],
            agent(self.states)[1],
            stacked["ends"] | stacked["cuts"],
            discount=DISCOUNT,
            trace=TRACE,
        )
        kept = (stacked["states"], stacked["actions"], stacked["log_probs"], advantages, returns)
        return [tensor.flatten(0, 1) for tensor in kept]

    def _count(self, rewards, over) -> None:
        self.running += torch.as_tensor(rewards)
        self.returns += [self.running[i].item() for i in range(NUM_ENVS) if over[i]]
        self.running[torch.as_tensor(over)] = 0.0

    def score(self) -> float:
        recent = self.returns[-20:]
        return sum(recent) / max(len(recent), 1)


def learn(agent, player, balancer, optimizer):
    """Play once, and learn from it in EPOCHS passes."""
    states, actions, old_log_probs, advantages, returns = player.play(agent)
    advantages = (advantages - advantages.mean()) / advantages.std()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(states)).split(BATCH):
            logits, values = agent(states[rows])
            log_probs = log_probability(logits, actions[rows])
            optimizer.zero_grad()
            balancer(
                {
                    "policy": losses.ppo_clip(log_probs, old_log_probs[rows], advantages[rows]),
                    "value": nn.functional.mse_loss(values, returns[rows]),
                    "entropy": losses.entropy_bonus(logits),
                }
            ).backward()
            optimizer.step()


def main() -> None:
    torch.manual_seed(0)
    agent, player = Agent(), Player()
    balancer = eq.Balancer(eq.Clip(max_norm=0.5), agent, tasks=WEIGHTS)
    optimizer = torch.optim.Adam(agent.parameters(), lr=1e-3)
    for update in range(UPDATES):
        learn(agent, player, balancer, optimizer)
        if update == 0:
            print(f"first episodes: return {player.score():.0f}")
        elif update % 10 == 9:
            print(f"update {update + 1:2}  return {player.score():5.0f}  norms {balancer.record.norms}")
    print(f"mean return of the last 20 episodes: {player.score():.0f} (500 is the most)")


if __name__ == "__main__":
    main()
