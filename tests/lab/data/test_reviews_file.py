import gzip
from collections import Counter

import pytest

from equipoise.lab.cases.reviews import DEPARTMENTS, embedded_reviews, read_targets
from equipoise.lab.data.table import parse_table
from equipoise.missing import MISSING

HEADER = "Title,Review Text,Age,Rating,Recommended IND,Department Name\n"


def read(compressed):
    return read_targets(parse_table("a.csv.gz", compressed))


def test_embedded_file_holds_6000_whole_reviews():
    targets = read(embedded_reviews())
    assert {len(labels) for labels in targets.values()} == {6000}
    assert all(parse_table("a.csv.gz", embedded_reviews()).cells("Review Text"))
    assert Counter(targets["rating"].tolist()) == {5: 3302, 4: 1296, 3: 754, 2: 412, 1: 236}
    assert targets["recommended"].sum() == 4904
    assert set(targets["department"].tolist()) == set(range(len(DEPARTMENTS)))


def test_fields_quotes_line_breaks_and_missing_department():
    rows = 'Nice,"soft, and\r\nwarm",46,4,1,Tops\n,too small,30,1,0,\n'
    targets = read(gzip.compress((HEADER + rows).encode()))
    assert {task: labels.tolist() for task, labels in targets.items()} == {
        "rating": [4.0, 1.0],
        "recommended": [1.0, 0.0],
        "department": [0, MISSING],
    }


def test_unknown_department_is_named():
    with pytest.raises(ValueError, match="'Shoes'"):
        read(gzip.compress((HEADER + "a,b,30,1,0,Shoes\n").encode()))
