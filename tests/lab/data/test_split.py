from collections import Counter

import pytest

from equipoise.lab.data.split import split_of


# first bytes by coreutils' sha256sum: a2 / 256 = 0.63, b4e1 / 65536 = 0.7066, ca / 256 = 0.79, de / 256 = 0.867
@pytest.mark.parametrize(
    ("content", "split"),
    [("love it", "train"), ("too small", "validation"), ("a", "validation"), ("Great dress", "test")],
)
def test_split_follows_from_sha256_of_the_content(content, split):
    assert split_of(content) == split


def test_shares_are_70_15_15():
    counts = Counter(split_of(f"review number {i}") for i in range(20_000))
    # four standard deviations of a share of 0.7 among 20,000 are 0.013
    assert {split: count / 20_000 for split, count in counts.items()} == pytest.approx(
        {"train": 0.70, "validation": 0.15, "test": 0.15}, abs=0.013
    )
