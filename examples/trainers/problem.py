"""What the trainers beside this file train: the price and the kind of made-up things, from eight numbers each."""

import torch
from torch import nn
from torch.utils.data import DataLoader

import equipoise as eq


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 16), nn.Tanh())
        self.heads = nn.ModuleDict({"price": nn.Linear(16, 1), "kind": nn.Linear(16, 3)})

    def forward(self, x):
        z = self.trunk(x)
        return {name: head(z) for name, head in self.heads.items()}


def make_tasks():
    return eq.Tasks([eq.Task("price", nn.MSELoss()), eq.Task("kind", nn.CrossEntropyLoss())])


def samples(size=64):
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(size, 8, generator=draw)
    prices = x[:, :1] * x[:, 1:2] + 0.1 * torch.randn(size, 1, generator=draw)
    kinds = x[:, 2:5].argmax(dim=1)
    return [{"x": a, "price": b, "kind": c} for a, b, c in zip(x, prices, kinds, strict=True)]


def loader(batch_size=8):
    return DataLoader(samples(), batch_size)
