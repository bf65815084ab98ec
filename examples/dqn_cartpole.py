"""Double Q-learning on CartPole, with a target network: one task, to stand beside the actor-critic.

python examples/dqn_cartpole.py
"""

import random
from collections import deque

import gymnasium
import torch
from torch import nn

from equipoise import losses

STEPS, BATCH, DISCOUNT = 12_000, 128, 0.99


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))


def main() -> None:
    torch.manual_seed(0)
    chance = random.Random(0)
    env = gymnasium.make("CartPole-v1")
    online, target = network(), network()
    target.load_state_dict(online.state_dict())
    optimizer = torch.optim.AdamW(online.parameters(), lr=1e-3)
    memory, returns, running = deque(maxlen=10_000), [], 0.0
    state = torch.tensor(env.reset(seed=0)[0])
    for step in range(STEPS):
        with torch.no_grad():
            greedy = int(online(state).argmax())
        explore = chance.random() < max(0.02, 1 - step / 4000)
        action = chance.randrange(2) if explore else greedy
        following, reward, terminated, truncated, _ = env.step(action)
        following, running = torch.tensor(following), running + float(reward)
        memory.append((state, action, float(reward), following, terminated))
        state = following
        if terminated or truncated:
            returns.append(running)
            state, running = torch.tensor(env.reset()[0]), 0.0
        if len(memory) >= 1000 and step % 2 == 0:
            states, actions, rewards, followings, ends = zip(*chance.sample(memory, BATCH), strict=True)
            followings = torch.stack(followings)
            with torch.no_grad():
                by_online, by_target = online(followings), target(followings)
            loss = losses.double_q_learning(
                online(torch.stack(states)),
                torch.tensor(actions),
                torch.tensor(rewards),
                by_online,
                by_target,
                torch.tensor(ends),
                discount=DISCOUNT,
            )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(online.parameters(), 10.0)
            optimizer.step()
            with torch.no_grad():
                for slow, fast in zip(target.parameters(), online.parameters(), strict=True):
                    slow.lerp_(fast, 0.01)
        if step % 3000 == 2999:
            print(f"step {step + 1:5}  return {sum(returns[-20:]) / 20:5.0f}")
    first, last = sum(returns[:20]) / 20, max(sum(returns[i : i + 20]) / 20 for i in range(len(returns) - 19))
    print(f"mean return over 20 episodes: {first:.0f} at first, {last:.0f} at best (500 is the most)")


if __name__ == "__main__":
    main()
