"""A typed training script as a user writes it; ``test_user.py`` has it checked and run."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from typing_extensions import assert_type

import equipoise as eq
from equipoise import lab

NAMES = ("rating", "department")


class Reviews(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(8, 16), nn.ReLU())
        self.rating, self.department = nn.Linear(16, 1), nn.Linear(16, 6)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        z = self.trunk(x)
        return {"rating": self.rating(z), "department": self.department(z)}


def batches(steps: int) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    for _ in range(steps):
        yield torch.randn(16, 8), {"rating": torch.randn(16, 1), "department": torch.randint(6, (16,))}


def make_tasks() -> eq.Tasks:
    focal = eq.losses.FocalLoss(gamma=1.5)
    assert_type(focal(torch.zeros(2, 6), torch.tensor([0, 5])), Tensor)
    mixed = eq.losses.Mixed({"log-cosh": (0.9, eq.losses.LogCoshLoss()), "l2": (0.1, nn.MSELoss())})
    return eq.Tasks([eq.Task("rating", mixed), eq.Task("department", focal, weight=2.0)])


def train(arm: lab.Arm, seed: int) -> dict[str, float]:
    model, tasks = Reviews(), make_tasks()
    balancer, recorder = arm.balancer(model, tasks, heads="raw"), arm.recorder(tasks)
    assert_type(balancer, eq.Balancer)
    optimizer = torch.optim.AdamW([*model.parameters(), *balancer.parameters()], lr=1e-3)
    for x, targets in batches(3):
        optimizer.zero_grad()
        losses = tasks.losses(model(x), targets)
        assert_type(losses["rating"], Tensor)
        loss = balancer(losses)
        assert_type(loss, Tensor)
        loss.backward()
        optimizer.step()
        recorder.step(balancer.record)
    assert_type(balancer.record, eq.Record)
    assert_type(balancer.record.weights, dict[str, float])
    assert_type(balancer.record.cosines, Tensor | None)
    balancer.end_epoch()
    return {f"{name}/loss": value for name, value in balancer.record.losses.items()}


def main() -> None:
    model, tasks = Reviews(), make_tasks()
    method = eq.method("nash-mtl")
    assert_type(method, eq.Method)
    assert_type(eq.Chain(eq.RunningNorm(), eq.Clip(max_norm=5.0), eq.PCGrad()), eq.Chain)
    criterion = eq.MultiTaskLoss(tasks, eq.Balancer(method, model, tasks=tasks, scale="paper"))
    for x, targets in batches(2):
        loss = criterion(model(x), targets)
        assert_type(loss, Tensor)
        loss = loss / 2
        loss.backward()
    print(criterion.balancer.record.to_dict())
    for suggestion in eq.losses.suggest(targets=torch.randint(6, (50,))):
        print(suggestion.code)
    results = lab.compare(train, ["sum", "uw", eq.MGDA()], seeds=2, tasks=dict.fromkeys(NAMES, ("loss", "lower")))
    assert_type(results, lab.Results)
    assert_type(results.verdict.headline, str)
    print(results.table().to_markdown())


if __name__ == "__main__":
    main()
