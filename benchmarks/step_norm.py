"""What the learning rate of the plain sum does with other methods, at the scale of the sum and at the paper's.

    python benchmarks/step_norm.py
    python benchmarks/step_norm.py --methods sum mgda --tasks 3 10 --lr 0.05

Regressions of different random functions on a shared layer with a linear head each, by SGD. Losses are means over tasks
after the last step; norms are those of the trunk's gradient beside the sum's at the same parameters, mean over steps.
"""

import argparse

import torch
from torch import nn

import equipoise as eq

METHODS = ("sum", "cagrad c=0", "cagrad", "upgrad", "dualproj", "mgda", "conicgrad", "moco", "rlw", "cov")
WIDTH, SAMPLES = 32, 256


class Problem(nn.Module):
    """K regressions on one hidden layer."""

    def __init__(self, num_tasks: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.names = tuple(f"task {k}" for k in range(num_tasks))
        self.trunk = nn.Sequential(nn.Linear(8, WIDTH), nn.Tanh())
        self.heads = nn.ModuleList(nn.Linear(WIDTH, 1) for _ in self.names)
        self.inputs = torch.randn(SAMPLES, 8)
        self.targets = torch.sin(self.inputs @ torch.randn(8, num_tasks))

    def losses(self) -> dict[str, torch.Tensor]:
        """The mean squared error of each task."""
        z = self.trunk(self.inputs)
        found = [(head(z)[:, 0] - self.targets[:, k]).square().mean() for k, head in enumerate(self.heads)]
        return dict(zip(self.names, found, strict=True))


def train(name: str, num_tasks: int, scale: str, lr: float, steps: int) -> tuple[float, float]:
    """The mean loss at the end, and the mean ratio of norms."""
    problem, ratios = Problem(num_tasks), []
    balancer = eq.Balancer(made(name), problem, tasks=problem.names, scale=scale)
    optimizer = torch.optim.SGD(problem.parameters(), lr=lr)
    trunk = list(problem.trunk.parameters())
    for _ in range(steps):
        optimizer.zero_grad()
        losses = problem.losses()
        plain = torch.autograd.grad(sum(losses.values()), trunk, retain_graph=True)
        balancer(losses).backward()
        ratios.append(norm([p.grad for p in trunk]) / norm(plain))
        optimizer.step()
    return sum(loss.item() for loss in problem.losses().values()) / num_tasks, sum(ratios) / steps


def made(name: str) -> eq.Method:
    """A method by its name, with c = 0 where the name says so."""
    word, _, argument = name.partition(" c=")
    return eq.method(word, **({"c": float(argument)} if argument else {}))


def norm(gradients: list[torch.Tensor]) -> float:
    """Of all numbers together."""
    return float(torch.nn.utils.get_total_norm(gradients))


def main() -> None:
    """Print a table for every number of tasks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--tasks", type=int, nargs="+", default=[10])
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args()
    for num_tasks in options.tasks:
        print(f"\n{num_tasks} tasks, {options.steps} steps of SGD at {options.lr}\n")
        print("| method | loss, paper's scale | loss, the sum's | norm, paper's scale | norm, the sum's |")
        print("|---|---|---|---|---|")
        for name in options.methods:
            found = [train(name, num_tasks, scale, options.lr, options.steps) for scale in ("paper", "sum")]
            cells = [f"{loss:.3f}" for loss, _ in found] + [f"{ratio:.2f}" for _, ratio in found]
            print(f"| `{name}` | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
