"""Census-Income (KDD): what the US census of 1994 and 1995 asked 299,285 people; the tasks of MMoE and PLE.

UCI Machine Learning Repository, CC BY 4.0. A csv file with a header; in column ``is_test`` 1 marks the rows of the
official test file. ``instance_weight`` says how many people a row stands for: it is no feature, and not used.

Ma et al., Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts, KDD 2018, section 5.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.lab.cases.case import Case
from equipoise.lab.cases.usual_losses import binary_losses
from equipoise.lab.data.arrays import Arrays, join
from equipoise.lab.data.cells import filled_numbers, places
from equipoise.lab.data.features import join_features, one_hot
from equipoise.lab.data.folder import data_folder, data_hash
from equipoise.lab.data.split import split_of
from equipoise.lab.data.table import read_table
from equipoise.lab.diagnostics import above_half, confusion, label_cooccurrence, label_table
from equipoise.lab.models.encoders import TableEncoder
from equipoise.lab.models.heads import SharedEncoder, scalar_head
from equipoise.task import Task
from equipoise.tasks import Tasks

SOURCE = "census_income_kdd.csv.gz is the UCI repository's Census-Income (KDD) with a header and a column is_test"
DOLLARS = ("wage_per_hour", "capital_gains", "capital_losses", "stock_dividends")
NUMBERS = ("age", *DOLLARS, "num_emp", "weeks_worked")
CATEGORIES = (
    *("class_worker", "det_ind_code", "det_occ_code", "education", "hs_college", "marital_stat", "major_ind_code"),
    *("major_occ_code", "race", "hisp_origin", "sex", "union_member", "unemp_reason", "full_or_part_emp"),
    *("tax_filer_stat", "region_prev_res", "state_prev_res", "det_hh_fam_stat", "det_hh_summ", "mig_chg_msa"),
    *("mig_chg_reg", "mig_move_reg", "mig_same", "mig_prev_sunbelt", "fam_under_18", "country_father"),
    *("country_mother", "country_self", "citizenship", "own_or_self", "vet_question", "vet_benefits", "year"),
)
DEGREES = (
    "Bachelors degree(BA AB BS)",
    "Masters degree(MA MS MEng MEd MSW MBA)",
    "Prof school degree (MD DDS DVM LLB JD)",
    "Doctorate degree(PhD EdD)",
)
# The columns that a task is made of are no inputs to any.
_GIVES_AWAY = {"income": (), "never_married": ("marital_stat",), "college": ("education", "hs_college")}
_WIDTH, _WIDTHS, _DROPOUT = 8, (128, 64), 0.1


@dataclass(frozen=True)
class People:
    """The answers by column, and the targets [N], 0 or 1.

    ``categories`` [N] each are places in the distinct answers of all rows; ``numbers`` [N] each are as they stand.
    """

    categories: dict[str, Tensor]
    sizes: dict[str, int]
    numbers: dict[str, Tensor]
    targets: dict[str, Tensor]
    is_test: Tensor


def read_census(path: Path) -> People:
    """All rows, in the file's order.

    Raises:
        ValueError: If the file is not of that form, or an answer that decides a target is not one of the census's.
    """
    table = read_table(path)
    answers = {name: tuple(dict.fromkeys(table.cells(name))) for name in CATEGORIES}
    codes = {name: places(table, name, answers[name]) for name in CATEGORIES}

    def is_one_of(name: str, wanted: Sequence[str]) -> Tensor:
        return torch.tensor([float(answer in wanted) for answer in answers[name]])[codes[name]]

    return People(
        categories=codes,
        sizes={name: len(answers[name]) for name in CATEGORIES},
        numbers={name: filled_numbers(table, name) for name in NUMBERS},
        targets={
            "income": places(table, "income_50k", ("- 50000.", "50000+.")).float(),
            "never_married": is_one_of("marital_stat", ("Never married",)),
            "college": is_one_of("education", DEGREES),
        },
        is_test=places(table, "is_test", ("0", "1")).bool(),
    )


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
    path = data_folder("census", SOURCE, folder) / "census_income_kdd.csv.gz"
    people = read_census(path)
    names = ["income", "never_married", *(["college"] if college else [])]
    train = ~people.is_test
    categories, sizes = _categories(people, names, train)
    numbers = torch.stack([_standardised(name, people, train) for name in NUMBERS], dim=1)
    every = Arrays((categories, numbers), {name: people.targets[name] for name in names})
    halves = (split_of(str(row), (0.0, 0.5, 0.5)) for row in count())
    splits = every.by_split([next(halves) if is_test else "train" for is_test in people.is_test.tolist()])

    def make_model(task_names: Sequence[str]) -> nn.Module:
        encoder = TableEncoder(sizes, len(NUMBERS), _WIDTH, _WIDTHS, _DROPOUT)
        heads = {name: scalar_head(_WIDTHS[-1]) for name in names}
        return SharedEncoder(encoder, {name: heads[name] for name in task_names})

    def features(split: str) -> Any:
        codes, scaled = splits[split].inputs
        begins = torch.tensor([0, *sizes[:-1]]).cumsum(0)
        return join_features([one_hot(codes + begins, sum(sizes)), scaled.numpy()])

    known = {name: binary_losses(labels) for name, labels in splits["train"].targets.items()}
    tasks = Tasks([Task(name, known[name]["bce"]()) for name in names])
    return Case(
        name="census-college" if college else "census",
        title=f"Census: {', '.join(names).replace('_', ' ')}",
        tasks=tasks,
        data=splits,
        collate=join,
        model=make_model,
        metrics={name: ["auroc"] for name in names},
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
        features=features,
    )


census_college = partial(census, college=True)


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
