"""Every case shows its diagnostics, whatever its network has learnt."""

import pytest
import torch
from real_data import needs
from torch.utils.data import Subset

from equipoise.lab.cases import CASES, TableCase, Target
from equipoise.lab.diagnostics import Card, Gallery, Matrix, Predictions, ScoreTable
from equipoise.lab.training.evaluate import outputs_of

SAMPLES = 60


def shown(case, names):
    """Results by name, of a network with its first weights on the first samples of the validation split."""
    split = case.data["validation"]
    some = Subset(split, range(min(SAMPLES, len(split))))
    torch.manual_seed(0)
    model = case.model(names)
    outputs, targets = outputs_of(model, case.tasks, [case.collate([some[i] for i in range(len(some))])])
    seen = Predictions(model.eval(), case.tasks, outputs, targets, split, case.collate)
    return seen, {diagnostic.name: diagnostic.show(seen) for diagnostic in case.diagnostics}


def check(seen, results):
    for name, result in results.items():
        if isinstance(result, Matrix):
            assert len(result.shares) == len(result.rows), name
            assert all(len(row) == len(result.columns) for row in (*result.shares, *result.counts)), name
            assert all(0 <= share <= 1 for row in result.shares for share in row if share is not None), name
            assert sum(map(sum, result.counts)) > 0, name
        elif isinstance(result, ScoreTable):
            assert all(len(row) == len(result.columns) for row in result.rows), name
            assert sum(row[-1] for row in result.rows) > 0, name
        else:
            assert isinstance(result, Gallery)
            assert result.cards, name
            for card in result.cards:
                assert isinstance(card, Card)
                assert all(card.lines), name
                assert all(picture.png.startswith(b"\x89PNG") for picture in card.pictures), name


def test_reviews():
    case = CASES["reviews"]()
    seen, results = shown(case, case.tasks.names)
    check(seen, results)
    assert sum(map(sum, results["recommended-confusion"].counts)) == SAMPLES
    card = results["samples"].cards[0]
    assert card.lines[1].startswith(f"rating: true {seen.targets['rating'][0]:.4g}, predicted ")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("census", marks=[needs("census"), pytest.mark.slow]),
        pytest.param("goemotions-groups", marks=needs("goemotions")),
        pytest.param("tox21", marks=needs("tox21")),
    ],
)
def test_cases_from_a_folder(name):
    case = CASES[name]()
    check(*shown(case, case.tasks.names))


@needs("coffee-leaf")
def test_leaves_are_shown_with_both_masks():
    case = CASES["coffee-leaf"]()
    seen, results = shown(case, case.tasks.names)
    check(seen, results)
    captions = [picture.caption for picture in results["samples"].cards[0].pictures]
    assert captions == ["the leaf", "true mask", "predicted mask", "wrong pixels"]


def test_a_table_shows_each_kind_of_target_in_its_own_words(tmp_path):
    rows = ["x,price,kind,size,tags,ok"]
    for i in range(300):
        size, kind, tags = ("small", "middle", "large")[i % 3], ("cat", "dog")[i % 2], "a;b" if i % 4 else ";"
        rows.append(f"{i / 7:.3f},{100 + i},{kind},{size},{tags},{('no', 'yes', '')[i % 3]}")
    (tmp_path / "t.csv").write_text("\n".join(rows), encoding="utf-8")
    kinds = ("price:regression", "kind:multiclass", "size:ordinal:small,middle,large", "tags:multilabel", "ok:binary")
    case = TableCase(str(tmp_path / "t.csv"), tuple(map(Target.parse, kinds)), number=("x",))()
    seen, results = shown(case, case.tasks.names)
    check(seen, results)
    assert results["size-confusion"].rows == ("small", "middle", "large")
    card = results["price-worst"].cards[0]
    assert card.lines[0].startswith("row ")
    true = float(card.lines[1].removeprefix("price: true ").partition(",")[0])
    row = int(card.lines[0].removeprefix("row "))
    assert true == pytest.approx(100 + row - 2, abs=0.5)  # the file's own unit, in the file's own row
