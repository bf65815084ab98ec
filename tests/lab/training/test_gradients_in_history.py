import math

import pytest
import torch

from equipoise.lab.settings import a_few
from equipoise.lab.training.measurements import Means
from equipoise.record import Record


def record(gradients, names=("a", "b", "c")):
    rows = torch.tensor(gradients, dtype=torch.float64)
    losses = torch.ones(len(rows))
    return Record(1, names[: len(rows)], losses, losses.sum(), losses, rows @ rows.T, "rows")


def test_history_has_what_the_gramian_says_of_pairs_and_of_all_tasks():
    means = Means("abc")
    means.add_record(record([[3.0, 0.0], [0.0, 1.0]]))
    means.add_record(record([[1.0, 0.0], [0.0, 1.0]]))
    values = {row[:2]: row[2] for row in means.rows()}
    # Yu et al. 2020, definition 3: 2 |a| |b| / (|a|^2 + |b|^2)
    assert values["a|b", "magnitude_similarity"] == pytest.approx((2 * 3 / 10 + 1) / 2)
    assert values["a|b", "cosine"] == 0
    assert values["all", "log10_condition_number"] == pytest.approx((math.log10(3) + 0) / 2)


def test_a_singular_step_has_no_condition_number_and_leaves_the_mean_alone():
    means = Means("abc")
    means.add_record(record([[0.0, 0.0], [0.0, 1.0]]))
    means.add_record(record([[2.0, 0.0], [0.0, 1.0]]))
    values = {row[:2]: row[2] for row in means.rows()}
    assert values["all", "log10_condition_number"] == pytest.approx(math.log10(2))


def test_of_many_tasks_every_norm_is_kept_and_the_pairs_of_a_few_that_are_spread_evenly():
    names = tuple(f"t{k}" for k in range(100))
    means = Means(names)
    rows = torch.randn(100, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    means.add_record(record(rows.tolist(), names))
    values = {row[:2]: row[2] for row in means.rows()}
    assert sum(quantity == "gradient_norm" for _, quantity in values) == 100
    assert sum(quantity == "cosine" for _, quantity in values) == 12 * 11 / 2
    assert a_few(names)[:1] + a_few(names)[-1:] == ["t0", "t99"]
    assert ("all", "log10_condition_number") not in values  # the eigenvalues of many tasks cost more than they tell
    assert values["t0|t99", "cosine"] == pytest.approx(torch.cosine_similarity(rows[0], rows[99], dim=0).item())
    assert a_few(names[:20]) == list(names[:20])  # up to 20 tasks all pairs are


def test_one_task_alone_has_neither():
    means = Means("abc")
    means.add_record(record([[3.0, 0.0]]))
    assert {quantity for _, quantity, _ in means.rows()} == {"weight", "gradient_norm"}


def test_history_has_the_parts_of_mixtures_averaged_over_the_steps():
    means = Means("abc")
    for dice, cross_entropy in ((0.5, 2.0), (0.3, 1.0)):
        made = record([[3.0, 0.0], [0.0, 1.0]])
        made.parts_tensors = {"b": {"dice": torch.tensor(dice), "ce": torch.tensor(cross_entropy)}}
        means.add_record(made)
    values = {row[:2]: row[2] for row in means.rows()}
    assert values["b", "part dice"] == pytest.approx(0.4)
    assert values["b", "part ce"] == pytest.approx(1.5)
    assert not [quantity for task, quantity in values if task == "a" and quantity.startswith("part")]
