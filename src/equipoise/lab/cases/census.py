"""Census income: the tasks on which MMoE and PLE were shown.

Ma et al., Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts, KDD 2018, section 5.1.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from equipoise.lab.cases.case import Case
from equipoise.lab.cases.metrics import make_metrics
from equipoise.lab.cases.usual_losses import binary_losses
from equipoise.lab.data.arrays import Arrays, join
from equipoise.lab.data.census import DOLLARS, NUMBERS, People, census_file, read_census
from equipoise.lab.data.folder import data_hash
from equipoise.lab.data.split import SPLITS, split_of
from equipoise.lab.diagnostics import above_half, confusion, label_cooccurrence, label_table
from equipoise.lab.models.heads import SharedEncoder, scalar_head
from equipoise.lab.models.table import TableEncoder
from equipoise.tasks import Task, Tasks

# The columns that a task is made of are no inputs to any.
_GIVES_AWAY = {"income": (), "never_married": ("marital_stat",), "college": ("education", "hs_college")}
_WIDTH, _WIDTHS, _DROPOUT = 8, (128, 64), 0.1


def census(folder: Path | None = None, *, college: bool = False) -> Case:
    """Income over 50,000 dollars and never married: the paper's first group; with ``college`` its second's task too.

    As there, the training split is the official one, and the official test rows are halved at random into
    validation and test.

    Args:
        folder: That of ``census_income_kdd.csv.gz``; by default see ``data_folder``.
        college: Whether to have a bachelor's or a higher degree is a third task; education is then no input.

    Raises:
        ValueError: If the file is missing or not as it should be.
    """
    path = census_file(folder)
    people = read_census(path)
    names = ["income", "never_married", *(["college"] if college else [])]
    split = _split(people.is_test)
    categories, sizes = _categories(people, names, split["train"])
    numbers = torch.stack([_standardised(name, people, split["train"]) for name in NUMBERS], dim=1)
    every = Arrays((categories, numbers), {name: people.targets[name] for name in names})
    splits = {name: every.where(split[name]) for name in SPLITS}

    def make_model(task_names: Sequence[str]) -> nn.Module:
        encoder = TableEncoder(sizes, len(NUMBERS), _WIDTH, _WIDTHS, _DROPOUT)
        heads = {name: scalar_head(_WIDTHS[-1]) for name in names}
        return SharedEncoder(encoder, {name: heads[name] for name in task_names})

    known = {name: binary_losses(labels) for name, labels in splits["train"].targets.items()}
    tasks = Tasks([Task(name, known[name]["bce"]()) for name in names])
    return Case(
        name="census-college" if college else "census",
        title=f"Census: {', '.join(names).replace('_', ' ')}",
        tasks=tasks,
        data=splits,
        collate=join,
        model=make_model,
        metrics=make_metrics(
            tasks, splits["train"].targets, splits["validation"].targets, {name: ["auroc"] for name in names}
        ),
        batch_size=1024,
        learning_rate=2e-3,
        weight_decay=0.01,
        epochs=4,
        data_hash=data_hash([path]),
        diagnostics=(
            *(confusion(name, ("no", "yes"), above_half, "people") for name in names),
            label_table(names, names),
            label_cooccurrence(names, names),
        ),
        losses=known,
    )


census_college = partial(census, college=True)


def _split(is_test: Tensor) -> dict[str, Tensor]:
    """True [N] where a row belongs to a split."""
    halves = [split_of(str(row), (0.0, 0.5, 0.5)) for row in range(int(is_test.sum()))]
    masks = {name: torch.zeros_like(is_test) for name in SPLITS}
    masks["train"] = ~is_test
    for name in SPLITS[1:]:
        masks[name][is_test] = torch.tensor([half == name for half in halves])
    return masks


def _categories(people: People, tasks: Sequence[str], train: Tensor) -> tuple[Tensor, list[int]]:
    """Numbers from 1 for the answers that occur in the training split, else 0 [N, columns]; and how many there are."""
    hidden = {column for task in tasks for column in _GIVES_AWAY[task]}
    columns, sizes = [], []
    for name, answers in people.categories.items():
        if name not in hidden:
            seen = answers[train].unique()
            places = torch.zeros(people.sizes[name], dtype=torch.int64)
            places[seen] = torch.arange(1, len(seen) + 1)
            columns.append(places[answers])
            sizes.append(len(seen) + 1)
    return torch.stack(columns, dim=1), sizes


def _standardised(name: str, people: People, train: Tensor) -> Tensor:
    """A column of numbers, mean 0 and deviation 1 on the training split; dollars as the logarithm of 1 + dollars."""
    values = people.numbers[name].log1p() if name in DOLLARS else people.numbers[name]
    known = values[train]
    deviation = known.std(correction=0)
    return (values - known.mean()) / deviation.where(deviation > 0, 1.0)
