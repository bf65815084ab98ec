"""A case of numbers and three classes that trains in a moment, with the F1 of each class."""

import torch
from torch import nn
from torch.utils.data import Subset, TensorDataset

import equipoise as eq
from equipoise.lab.cases import Case, make_metrics
from equipoise.lab.models.heads import SharedEncoder, scalar_head

PARTS = {"train": range(60), "validation": range(60, 90), "test": range(90, 120)}


def collate(samples):
    x, size, kind = map(torch.stack, zip(*samples, strict=True))
    return x, {"size": size, "kind": kind}


def make_model(names):
    heads = {"size": scalar_head(8), "kind": nn.Linear(8, 3)}
    return SharedEncoder(nn.Sequential(nn.Linear(3, 8), nn.ReLU()), {name: heads[name] for name in names})


def make_case():
    x = torch.randn(120, 3, generator=torch.Generator().manual_seed(0))
    data = TensorDataset(x, x.sum(1), x.argmax(1))
    splits = {split: Subset(data, rows) for split, rows in PARTS.items()}
    train, validation = (collate([data[row] for row in PARTS[name]])[1] for name in ("train", "validation"))
    tasks = eq.Tasks([eq.Task("size", nn.MSELoss()), eq.Task("kind", nn.CrossEntropyLoss())])
    chosen = {"size": ["rmse"], "kind": ["accuracy", "f1-none"]}
    return Case(
        name="tiny-classes",
        title="Tiny",
        tasks=tasks,
        data=splits,
        collate=collate,
        model=make_model,
        metrics=make_metrics(tasks, train, validation, chosen, {"kind": {"num_classes": 3}}),
        batch_size=10,
        learning_rate=1e-2,
        weight_decay=0.0,
        epochs=1,
        data_hash="0",
    )
