"""Train a small case by each method; once more, broken off after the second epoch and gone on with.

ACCELERATE_USE_CPU=true accelerate launch --multi_gpu --num_processes 2 two_trainings.py FOLDER
"""

import gc
import sys
from contextlib import suppress
from pathlib import Path

import torch

import equipoise as eq
from equipoise.lab.cases import Case, Metric
from equipoise.lab.data.arrays import Arrays, join
from equipoise.lab.models.heads import SharedEncoder, scalar_head
from equipoise.lab.training import Settings, loop, train

METHODS = {"sum": eq.Sum, "uw": eq.UW, "mgda": eq.MGDA}
SETTINGS = {
    "plain": Settings(3, 16, 0.01, 0.1, 1.0, 9),
    "options": Settings(
        3, 16, 0.01, 0.1, 1.0, 9, schedule="cosine", warmup=2, average=0.9, micro_batches=2, task_patience=1
    ),
}


def made_case() -> Case:
    """Two numbers and a class from six numbers, in float64; half of the class's labels are missing."""
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(70, 6, generator=draw, dtype=torch.float64)
    level = (inputs[:, 0] > 0).double()
    level[1::2] = torch.nan
    targets = {"sum": inputs.sum(dim=1), "product": inputs[:, 0] * inputs[:, 1], "level": level}
    tasks = eq.Tasks(
        [
            eq.Task("sum", torch.nn.MSELoss()),
            eq.Task("product", torch.nn.L1Loss()),
            eq.Task("level", torch.nn.BCEWithLogitsLoss()),
        ]
    )

    def make_model(names):
        encoder = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh())
        return SharedEncoder(encoder, {name: scalar_head(8) for name in names}).double()

    def error(outputs, targets):
        return (outputs - targets).abs().mean().item()

    metric = Metric("error", higher_is_better=False, perfect=0.0, trivial=1.0, compute=error)
    data = Arrays(inputs, targets)
    return Case(
        name="made",
        title="Made",
        tasks=tasks,
        data={"train": data.where(torch.arange(50)), "validation": data, "test": data},
        collate=join,
        model=make_model,
        metrics=dict.fromkeys(tasks.names, (metric,)),
        batch_size=16,
        learning_rate=0.01,
        weight_decay=0.1,
        epochs=3,
        data_hash="0",
    )


def train_all(folder: Path) -> None:
    case = made_case()
    for kind, settings in SETTINGS.items():
        for name, make in METHODS.items():
            train(case, case.tasks.names, make(), 0, settings, folder / f"{kind}-{name}")


def break_off_and_go_on(folder: Path) -> None:
    """In every process, after the second checkpoint."""
    case, save, epochs = made_case(), loop.save_checkpoint, []

    def save_and_break(*arguments):
        save(*arguments)
        epochs.append(0)
        if len(epochs) == 2:
            raise KeyboardInterrupt

    loop.save_checkpoint = save_and_break
    for _ in range(2):
        with suppress(KeyboardInterrupt):
            train(case, case.tasks.names, METHODS["mgda"](), 0, SETTINGS["options"], folder)
    loop.save_checkpoint = save
    assert len(epochs) == 3


if __name__ == "__main__":
    train_all(Path(sys.argv[1]))
    torch.save(torch.rand(4), Path(sys.argv[1]) / f"draw-{torch.distributed.get_rank()}.pt")
    break_off_and_go_on(Path(sys.argv[1]) / "broken-mgda")
    gc.collect()  # a process group's threads end with its last holder; docs/scale.md says why that matters
    torch.distributed.destroy_process_group()
