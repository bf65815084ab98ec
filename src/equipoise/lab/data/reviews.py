"""Reviews of clothing: text, a rating, a recommendation and a department.

Women's Clothing E-Commerce Reviews, CC0; source and columns in ``womens_reviews_6k.md``.
"""

import csv
import gzip
import io
from dataclasses import dataclass
from importlib.resources import files

DEPARTMENTS = ("Tops", "Dresses", "Bottoms", "Intimate", "Jackets", "Trend")


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
    return files("equipoise.lab.data").joinpath("womens_reviews_6k.csv.gz").read_bytes()


def read_reviews(compressed: bytes) -> list[Review]:
    """The reviews in a gzip-compressed csv file, in its order.

    Raises:
        ValueError: If a department is none of ``DEPARTMENTS`` and not empty.
    """
    text = gzip.decompress(compressed).decode("utf-8")
    return [_review(row) for row in csv.DictReader(io.StringIO(text, newline=""))]


def _review(row: dict[str, str]) -> Review:
    department = row["Department Name"] or None
    if department is not None and department not in DEPARTMENTS:
        raise ValueError(f"Department Name must be empty or one of {DEPARTMENTS}, got {department!r}")
    return Review(
        title=row["Title"],
        text=row["Review Text"],
        age=int(row["Age"]),
        rating=int(row["Rating"]),
        recommended=row["Recommended IND"] == "1",
        department=department,
    )
