"""Clothing reviews: from the text to the rating, the recommendation and the department.

Women's Clothing E-Commerce Reviews, CC0; source and columns in ``lab/data/womens_reviews_6k.md``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from equipoise.lab.cases.case import Case
from equipoise.lab.cases.metrics import make_metrics
from equipoise.lab.cases.usual_losses import binary_losses, counted_class_losses, number_losses
from equipoise.lab.data.cells import places
from equipoise.lab.data.split import SPLITS, split_of
from equipoise.lab.data.table import Table, parse_table
from equipoise.lab.data.text import encode, join_bags, known_words, ngrams, vocabulary, words
from equipoise.lab.diagnostics import (
    Diagnostic,
    above_half,
    cards,
    class_table,
    class_words,
    confusion,
    first_samples,
    largest,
    number_words,
    worst_samples,
)
from equipoise.lab.models.encoders import BagOfEmbeddings
from equipoise.lab.models.heads import SharedEncoder, scalar_head
from equipoise.missing import MISSING
from equipoise.tasks import Task, Tasks

DEPARTMENTS = ("Tops", "Dresses", "Bottoms", "Intimate", "Jackets", "Trend")
_FILE = "womens_reviews_6k.csv.gz"
_VOCABULARY_SIZE, _WIDTH, _HIDDEN, _DROPOUT = 8000, 48, 64, 0.2

Sample = tuple[Tensor, dict[str, Tensor]]


@dataclass(frozen=True)
class Review:
    """One review; ``rating`` is 1 to 5, ``age`` in years, ``department`` None where it is not known."""

    title: str
    text: str
    age: int
    rating: int
    recommended: bool
    department: str | None


def embedded_reviews() -> bytes:
    """The file of 6,000 reviews that comes with the package, compressed."""
    return files("equipoise.lab.data").joinpath(_FILE).read_bytes()


def read_reviews(table: Table) -> list[Review]:
    """The reviews in a table, in its order.

    Raises:
        ValueError: If a department is none of ``DEPARTMENTS`` and not empty.
    """
    places(table, "Department Name", [*DEPARTMENTS, ""])  # or raise
    department = (cell or None for cell in table.cells("Department Name"))
    age, rating = (map(int, table.cells(column)) for column in ("Age", "Rating"))
    recommended = (cell == "1" for cell in table.cells("Recommended IND"))
    columns = table.cells("Title"), table.cells("Review Text"), age, rating, recommended, department
    return [Review(*row) for row in zip(*columns, strict=True)]


class ReviewDataset(Dataset[Sample]):
    """Reviews as bags of numbers [L], and targets [N] by task name.

    rating: 1 to 5, float. recommended: 0 or 1, float. department: 0 to 5, or -100 where missing, int64.
    """

    def __init__(self, bags: Sequence[Tensor], reviews: Sequence[Review]) -> None:
        self.bags = bags
        departments = [MISSING if r.department is None else DEPARTMENTS.index(r.department) for r in reviews]
        self.targets = {
            "rating": torch.tensor([float(r.rating) for r in reviews]),
            "recommended": torch.tensor([float(r.recommended) for r in reviews]),
            "department": torch.tensor(departments, dtype=torch.int64),
        }

    def __len__(self) -> int:
        return len(self.bags)

    def __getitem__(self, index: int) -> Sample:
        return self.bags[index], {name: values[index] for name, values in self.targets.items()}


def collate(samples: list[Sample]) -> tuple[tuple[Tensor, Tensor], dict[str, Tensor]]:
    """One batch: the bags as ``nn.EmbeddingBag`` takes them, the targets stacked."""
    bags, targets = zip(*samples, strict=True)
    return join_bags(bags), {name: torch.stack([target[name] for target in targets]) for name in targets[0]}


def split_reviews(reviews: Sequence[Review]) -> dict[str, list[Review]]:
    """Reviews by split; two with the same words, however written, are in the same one."""
    by_split: dict[str, list[Review]] = {split: [] for split in SPLITS}
    for review in reviews:
        by_split[split_of(" ".join(words(review.text)))].append(review)
    return by_split


def reviews(compressed: bytes | None = None) -> Case:
    """The case on a gzip-compressed csv file of reviews, by default the one in the package."""
    table = parse_table(_FILE, embedded_reviews() if compressed is None else compressed)
    by_split = split_reviews(read_reviews(table))
    documents = {
        split: [ngrams(review.title) + ngrams(review.text) for review in part] for split, part in by_split.items()
    }
    numbers = vocabulary(documents["train"], _VOCABULARY_SIZE)
    splits = {
        split: ReviewDataset([encode(document, numbers) for document in documents[split]], by_split[split])
        for split in SPLITS
    }
    train, validation = splits["train"].targets, splits["validation"].targets
    mean_rating = train["rating"].mean().item()

    def make_model(task_names: Sequence[str]) -> nn.Module:
        encoder = BagOfEmbeddings(len(numbers), _WIDTH, _HIDDEN, _DROPOUT)
        heads = {
            # without it, learning the mean floods the encoder, and the department is not learnt at all
            "rating": scalar_head(_HIDDEN, offset=mean_rating),
            "recommended": scalar_head(_HIDDEN),
            "department": nn.Linear(_HIDDEN, len(DEPARTMENTS)),
        }
        return SharedEncoder(encoder, {name: heads[name] for name in task_names})

    known = {
        "rating": number_losses(),
        "recommended": binary_losses(train["recommended"]),
        "department": counted_class_losses(train["department"], len(DEPARTMENTS)),
    }
    tasks = Tasks(
        [
            Task("rating", known["rating"]["mse"]()),
            Task("recommended", known["recommended"]["bce"]()),
            Task("department", known["department"]["cross-entropy"]()),
        ]
    )
    return Case(
        name="reviews",
        title="Clothing reviews: rating, recommendation and department from the text",
        tasks=tasks,
        data=splits,
        collate=collate,
        model=make_model,
        metrics=make_metrics(
            tasks,
            train,
            validation,
            {"rating": ["rmse"], "recommended": ["auroc"], "department": ["accuracy"]},
            sizes={"department": {"num_classes": len(DEPARTMENTS)}},
        ),
        batch_size=64,
        learning_rate=5e-3,
        weight_decay=0.01,
        epochs=8,
        data_hash=table.data_hash,
        diagnostics=_diagnostics(numbers),
        losses=known,
    )


def _diagnostics(numbers: Mapping[str, int]) -> tuple[Diagnostic, ...]:
    asked = ("no", "yes")
    describe = cards(
        {
            "rating": number_words("rating"),
            "recommended": class_words("recommended", asked, above_half),
            "department": class_words("department", DEPARTMENTS, largest),
        },
        title=lambda seen, place: known_words(seen.samples[place][0], numbers),
    )
    return (
        confusion("recommended", asked, above_half, "reviews"),
        confusion("department", DEPARTMENTS, largest, "reviews"),
        class_table("recommended", asked, above_half, "reviews"),
        class_table("department", DEPARTMENTS, largest, "reviews"),
        first_samples(("rating",), describe),
        *(worst_samples(task, describe) for task in ("rating", "recommended", "department")),
    )
