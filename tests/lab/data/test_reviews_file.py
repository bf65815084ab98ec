import gzip
from collections import Counter

import pytest

from equipoise.lab.cases.reviews import DEPARTMENTS, Review, embedded_reviews, read_reviews
from equipoise.lab.data.table import parse_table

HEADER = "Title,Review Text,Age,Rating,Recommended IND,Department Name\n"


def read(compressed):
    return read_reviews(parse_table("a.csv.gz", compressed))


def test_embedded_file_holds_6000_whole_reviews():
    reviews = read(embedded_reviews())
    assert len(reviews) == 6000
    assert all(review.text for review in reviews)
    assert Counter(review.rating for review in reviews) == {5: 3302, 4: 1296, 3: 754, 2: 412, 1: 236}
    assert sum(review.recommended for review in reviews) == 4904
    assert {review.department for review in reviews} == set(DEPARTMENTS)


def test_fields_quotes_line_breaks_and_missing_department():
    rows = 'Nice,"soft, and\r\nwarm",46,4,1,Tops\n,too small,30,1,0,\n'
    assert read(gzip.compress((HEADER + rows).encode())) == [
        Review("Nice", "soft, and\r\nwarm", 46, 4, True, "Tops"),
        Review("", "too small", 30, 1, False, None),
    ]


def test_unknown_department_is_named():
    with pytest.raises(ValueError, match="'Shoes'"):
        read(gzip.compress((HEADER + "a,b,30,1,0,Shoes\n").encode()))
