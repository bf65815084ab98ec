"""Clothing reviews: from the text to the rating, the recommendation and the department.

Women's Clothing E-Commerce Reviews, CC0; source and columns in ``lab/data/womens_reviews_6k.md``.
"""

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files

from torch import Tensor, nn

from equipoise.lab.cases.case import Case
from equipoise.lab.cases.metrics import make_metrics
from equipoise.lab.cases.usual_losses import binary_losses, counted_class_losses, number_losses
from equipoise.lab.data.arrays import Arrays
from equipoise.lab.data.cells import filled_numbers, optional_places, places
from equipoise.lab.data.split import SPLITS, split_of
from equipoise.lab.data.table import Table, parse_table
from equipoise.lab.data.text import encode, frequencies, join_padded_bags, known_words, pad_bags, tf_idf, vocabulary
from equipoise.lab.data.words import ngrams, words
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
from equipoise.task import Task
from equipoise.tasks import Tasks

DEPARTMENTS = ("Tops", "Dresses", "Bottoms", "Intimate", "Jackets", "Trend")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_FILE = "womens_reviews_6k.csv.gz"
_VOCABULARY_SIZE, _WIDTH, _HIDDEN, _DROPOUT = 8000, 48, 64, 0.5


def embedded_reviews() -> bytes:
    """The file of 6,000 reviews that comes with the package, compressed."""
    return files("equipoise.lab.data").joinpath(_FILE).read_bytes()


def read_targets(table: Table) -> dict[str, Tensor]:
    """The labels by task [N]: rating 1 to 5, float32; recommended 0 or 1, float32; department 0 to 5, int64.

    A missing department is -100.

    Raises:
        ValueError: If a cell is none of these.
    """
    return {
        "rating": filled_numbers(table, "Rating"),
        "recommended": places(table, "Recommended IND", ("0", "1")).float(),
        "department": optional_places(table, "Department Name", DEPARTMENTS),
    }


def split_reviews(table: Table) -> list[str]:
    """The split of each review; two with the same words, however written, are in the same one."""
    return [split_of(" ".join(words(text))) for text in _texts(table, "Review Text")]


def _texts(table: Table, column: str) -> list[str]:
    """Without the few letters that were garbled before the reviews were published."""
    return [_NOT_ASCII.sub(" ", text) for text in table.cells(column)]


def reviews(compressed: bytes | None = None) -> Case:
    """The case on a gzip-compressed csv file of reviews, by default the one in the package."""
    table = parse_table(_FILE, embedded_reviews() if compressed is None else compressed)
    split = split_reviews(table)
    texts = zip(_texts(table, "Title"), _texts(table, "Review Text"), strict=True)
    documents = [ngrams(title) + ngrams(text) for title, text in texts]
    in_train = (document for document, name in zip(documents, split, strict=True) if name == "train")
    numbers = vocabulary(in_train, _VOCABULARY_SIZE)
    bags = [encode(document, numbers) for document in documents]
    shares = frequencies([bag for bag, name in zip(bags, split, strict=True) if name == "train"], len(numbers))
    rows_of = {name: [place for place, one in enumerate(split) if one == name] for name in SPLITS}
    splits = Arrays(pad_bags(bags, max(map(len, bags))), read_targets(table)).by_split(split)
    train, validation = splits["train"].targets, splits["validation"].targets
    mean_rating = train["rating"].mean().item()

    def make_model(task_names: Sequence[str]) -> nn.Module:
        encoder = BagOfEmbeddings(shares, _WIDTH, _HIDDEN, _DROPOUT)
        heads = {
            # without it, learning the mean floods the encoder, and the department is not learnt at all
            "rating": scalar_head(encoder.width, offset=mean_rating),
            "recommended": scalar_head(encoder.width),
            "department": nn.Linear(encoder.width, len(DEPARTMENTS)),
        }
        return SharedEncoder(encoder, {name: heads[name] for name in task_names})

    departments = counted_class_losses(train["department"], len(DEPARTMENTS), tau=0.95, beta=0.998)
    known = {
        "rating": number_losses(),
        "recommended": binary_losses(train["recommended"]),
        "department": {"logit-adjusted": departments["logit-adjusted"], **departments},
    }
    tasks = Tasks(
        [
            Task("rating", known["rating"]["mse"]()),
            Task("recommended", known["recommended"]["bce"]()),
            Task("department", known["department"]["logit-adjusted"]()),
        ]
    )
    return Case(
        name="reviews",
        title="Clothing reviews: rating, recommendation and department from the text",
        tasks=tasks,
        data=splits,
        collate=join_padded_bags,
        model=make_model,
        metrics=make_metrics(
            tasks,
            train,
            validation,
            {"rating": ["rmse"], "recommended": ["auroc"], "department": ["accuracy"]},
            sizes={"department": {"num_classes": len(DEPARTMENTS)}},
        ),
        batch_size=128,
        learning_rate=1e-2,
        weight_decay=0.01,
        epochs=6,
        schedule="cosine",
        data_hash=table.data_hash,
        diagnostics=_diagnostics(numbers),
        losses=known,
        features=lambda name: tf_idf([bags[row] for row in rows_of[name]], shares),
        network="one second moment",
    )


def _diagnostics(numbers: Mapping[str, int]) -> tuple[Diagnostic, ...]:
    asked = ("no", "yes")
    describe = cards(
        {
            "rating": number_words("rating"),
            "recommended": class_words("recommended", asked, above_half),
            "department": class_words("department", DEPARTMENTS, largest),
        },
        title=lambda seen, place: known_words(seen.samples[place][0][0], numbers),
    )
    return (
        confusion("recommended", asked, above_half, "reviews"),
        confusion("department", DEPARTMENTS, largest, "reviews"),
        class_table("recommended", asked, above_half, "reviews"),
        class_table("department", DEPARTMENTS, largest, "reviews"),
        first_samples(("rating",), describe),
        *(worst_samples(task, describe) for task in ("rating", "recommended", "department")),
    )
