import numpy as np
import pytest

from equipoise.lab.data.guess import guess_columns
from equipoise.lab.data.leaks import leaks
from equipoise.lab.data.table import Table

N = 100
RANDOM = np.random.default_rng(0)
SIGNAL = RANDOM.normal(size=N)
COLUMNS = {
    "customer": [str(1000 + i) for i in range(N)],
    "code": [f"x{i:03}" for i in range(N)],
    "age": [str(20 + i % 40) for i in range(N)],
    "stars": [str(1 + i % 5) for i in range(N)],
    "bought": [("no", "yes")[i % 2] for i in range(N)],
    "colour": [("red", "green", "blue", "")[i % 4] for i in range(N)],
    "note": [f"this is note number {i} of many" for i in range(N)],
    "day": [f"2024-01-{1 + i % 28:02}" for i in range(N)],
    "nothing": [""] * N,
    "always": ["1"] * N,
    "mostly": [str(i * 0.5) if i != 15 else "n/a" for i in range(N)],
    "tags": [("a;b", "b;c", "a")[i % 3] for i in range(N)],
}
EXPECTED = {
    "customer": (None, "own value"),
    "code": (None, "own value"),
    "age": ("number", "numbers from 20 to 59"),
    "stars": ("number", "5 whole numbers from 1 to 5; levels in order would be ordinal"),
    "bought": ("category", "two values, no and yes"),
    "colour": ("category", "3 different values, 25 empty"),
    "note": ("text", "100 different texts of 7 words"),
    "day": (None, "dates"),
    "nothing": (None, "empty in every row"),
    "always": (None, "always '1'"),
    "mostly": (None, "a.csv row 17, column 'mostly' is 'n/a'"),
    "tags": ("text", "3 different labels with ';' between"),
}
TARGETS = {
    "age": "regression",
    "stars": "regression",
    "bought": "binary",
    "colour": "multiclass",
    "tags": "multilabel",
}


def leak(table, column, target):
    """Why a column may leak a target; None where there is no sign."""
    return dict(leaks(table, [column], [target])).get(column)


def test_what_columns_look_like():
    for guess in guess_columns(Table("a.csv", COLUMNS, 2, "")):
        kind, why = EXPECTED[guess.column]
        assert guess.kind == kind, guess
        assert why in guess.why
        assert guess.target == TARGETS.get(guess.column)


@pytest.mark.parametrize(
    ("cells", "kind", "target"),
    [
        ([str(i * i) for i in range(9)], "number", "regression"),  # too few rows to be called ids
        ([f"x{i}" for i in range(9)], "text", None),
        ([f"x{i}" for i in range(10)], None, None),
        ([str(i * i) for i in range(20)], "number", "regression"),  # each once, but not one after another
        ([f"{i} small pears" for i in range(20)], "text", None),  # each once, but of several words
        ([f"太小了{i}" for i in range(20)], "text", None),  # which need no blanks between them
        ([f"a{i % 2};b" if i < 10 else f"c{i % 3}" for i in range(100)], "category", "multiclass"),  # ; in a tenth
        ([f"a{i % 20}; b{i % 20}" for i in range(40)], "text", None),  # no part is in two different cells
        (["Yes", "no", "yes"] * 5, "category", "binary"),
        ([str(i % 30) + "th" for i in range(100)], "text", None),  # a category has a fifth of the rows at most
        ([str(i % 20) + "th" for i in range(100)], "category", "multiclass"),
        ([str(i % 7) if i % 5 < 3 else "many" for i in range(100)], "category", "multiclass"),  # 3 of 5 are numbers
        (["a;b", "b;a", "a;b;c"] + ["a;b"] * 20, "text", None),  # c is seen once
        (["a;b", "b;a", "a;c;c"] + ["a;b"] * 20, "text", None),  # in one row twice
        ([";"] + ["a;b", "b;a"] * 10, "text", "multilabel"),  # none of the labels
    ],
)
def test_kinds_at_their_limits(cells, kind, target):
    (guess,) = guess_columns(Table("a.csv", {"a": cells}, 2, ""))
    assert (guess.kind, guess.target) == (kind, target)


@pytest.mark.parametrize(
    ("column", "target", "why"),
    [
        (SIGNAL, 3 * SIGNAL + 1, "its correlation with 'b' is 1.000"),
        (SIGNAL, -SIGNAL, "its correlation with 'b' is 1.000"),
        (SIGNAL, SIGNAL + RANDOM.normal(size=N), None),
        (SIGNAL, np.where(SIGNAL > 0.3, "yes", "no"), "it alone ranks 'b' with an AUROC of 1.000"),
        (-SIGNAL, np.where(SIGNAL > 0.3, "yes", "no"), "it alone ranks 'b' with an AUROC of 1.000"),
        (SIGNAL, np.where(RANDOM.normal(size=N) > 0.3, "yes", "no"), None),
        (
            np.array(list("xyz"))[np.arange(N) % 3],
            np.array(list("uvw"))[np.arange(N) % 3],
            "its value predicts 'b' in 100.0%",
        ),
        (np.array(list("xyz"))[np.arange(N) % 3], np.array(list("uv"))[np.arange(N) % 2], None),
        (np.array(list("xyz"))[np.arange(N) % 3], np.array(["u"] * 97 + ["v"] * 3), None),  # hardly anything to tell
        (np.arange(N).astype(str), np.array(list("uvw"))[np.arange(N) % 3], None),  # every cell once: proves nothing
    ],
)
def test_leaks(column, target, why):
    found = leak(Table("a.csv", {"a": list(map(str, column)), "b": list(map(str, target))}, 2, ""), "a", "b")
    assert found is None if why is None else why in found


def test_a_name_that_holds_the_targets_name():
    table = Table("a.csv", {"Rating_mean": ["1"], "rating": ["2"]}, 2, "")
    assert leak(table, "Rating_mean", "rating") == "its name contains 'rating'"
    assert leak(table, "rating", "Rating_mean") is None


@pytest.mark.parametrize("copy", ["numbers", "words"])
def test_only_rows_with_both_cells_count_and_fewer_than_ten_say_nothing(copy):
    cells = [str(i % 3 if copy == "words" else i * i).replace("0", "o" if copy == "words" else "0") for i in range(60)]
    for rows, found in ((20, True), (10, copy == "numbers"), (9, False)):
        column = [cell if i < rows or i % 2 else "" for i, cell in enumerate(cells)]
        target = [cell if i < rows or not i % 2 else "" for i, cell in enumerate(cells)]
        assert (leak(Table("a.csv", {"a": column, "b": target}, 2, ""), "a", "b") is not None) == found
