"""A case that trains in a moment: two tasks of three numbers, on one hidden layer."""

from dataclasses import replace

import torch
from torch import nn
from torch.utils.data import Subset, TensorDataset

import equipoise as eq
from equipoise.lab.cases import Case, make_metrics
from equipoise.lab.models.heads import SharedEncoder, scalar_head

PARTS = {"train": range(60), "validation": range(60, 90), "test": range(90, 120)}


def collate(samples):
    x, a, b = map(torch.stack, zip(*samples, strict=True))
    return x, {"a": a, "b": b}


def make_model(names):
    return SharedEncoder(nn.Sequential(nn.Linear(3, 8), nn.ReLU()), {name: scalar_head(8) for name in names})


def make_case():
    generator = torch.Generator().manual_seed(0)
    x, noise = torch.randn(120, 3, generator=generator), torch.randn(120, generator=generator)
    data = TensorDataset(x, x.sum(1) + 0.3 * noise, (x[:, 0] + 0.5 * noise > 0).float())
    splits = {split: Subset(data, rows) for split, rows in PARTS.items()}
    train, validation = (
        collate([splits[name][i] for i in range(len(splits[name]))])[1]
        for name in PARTS
        if name[0] in "tv" and name != "test"
    )
    tasks = eq.Tasks([eq.Task("a", nn.MSELoss()), eq.Task("b", nn.BCEWithLogitsLoss())])
    return Case(
        name="tiny",
        title="Tiny",
        tasks=tasks,
        data=splits,
        collate=collate,
        model=make_model,
        metrics=make_metrics(tasks, train, validation, {"a": ["rmse"], "b": ["auroc"]}),
        batch_size=10,
        learning_rate=1e-2,
        weight_decay=0.0,
        epochs=3,
        data_hash="0",
    )


def make_one_task():
    """The same with its first task alone."""
    case = make_case()
    return replace(case, name="one", tasks=eq.Tasks([case.tasks["a"]]), metrics={"a": case.metrics["a"]}, losses={})
