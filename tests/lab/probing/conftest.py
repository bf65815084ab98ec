import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

import equipoise as eq
from equipoise.lab.cases import Case, Metric
from equipoise.lab.models.heads import SharedEncoder, scalar_head


class Unread:
    """A split that nobody may read."""

    def __len__(self):
        return 10

    def __getitem__(self, index):
        raise AssertionError("read")


def collate(samples):
    x, a, b, c = (torch.stack(column) for column in zip(*samples, strict=True))
    return x, {"a": a, "b": b, "c": c}


def make_model(names):
    encoder = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 5), nn.Tanh())
    return SharedEncoder(encoder, {name: scalar_head(5) for name in names})


@pytest.fixture
def toy():
    """Three regressions; b wants the opposite of a; c has no label in the second half."""
    x = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
    a = x.sum(dim=1)
    c = 3 * x[:, 0]
    c[20:] = torch.nan
    tasks = eq.Tasks([eq.Task(name, nn.MSELoss()) for name in "abc"])
    metric = Metric("mse", False, 0.0, 1.0, lambda outputs, targets: float((outputs - targets).square().mean()))
    return Case(
        name="toy",
        title="Toy",
        tasks=tasks,
        data={"train": TensorDataset(x, a, -a, c), "validation": Unread(), "test": Unread()},
        collate=collate,
        model=make_model,
        metrics=dict.fromkeys("abc", (metric,)),
        batch_size=10,
        learning_rate=1e-2,
        weight_decay=0.0,
        epochs=2,
        data_hash="0",
    )
