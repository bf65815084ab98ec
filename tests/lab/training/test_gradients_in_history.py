import math

import pytest
import torch

from equipoise.lab.training.measurements import Means
from equipoise.record import Record


def record(gradients, names=("a", "b", "c")):
    rows = torch.tensor(gradients, dtype=torch.float64)
    losses = torch.ones(len(rows))
    return Record(1, names[: len(rows)], losses, losses.sum(), losses, rows @ rows.T, "rows")


def test_history_has_what_the_gramian_says_of_pairs_and_of_all_tasks():
    means = Means()
    means.add_record(record([[3.0, 0.0], [0.0, 1.0]]))
    means.add_record(record([[1.0, 0.0], [0.0, 1.0]]))
    values = {row[:2]: row[2] for row in means.rows()}
    # Yu et al. 2020, definition 3: 2 |a| |b| / (|a|^2 + |b|^2)
    assert values["a|b", "magnitude_similarity"] == pytest.approx((2 * 3 / 10 + 1) / 2)
    assert values["a|b", "cosine"] == 0
    assert values["all", "log10_condition_number"] == pytest.approx((math.log10(3) + 0) / 2)


def test_a_singular_step_has_no_condition_number_and_leaves_the_mean_alone():
    means = Means()
    means.add_record(record([[0.0, 0.0], [0.0, 1.0]]))
    means.add_record(record([[2.0, 0.0], [0.0, 1.0]]))
    values = {row[:2]: row[2] for row in means.rows()}
    assert values["all", "log10_condition_number"] == pytest.approx(math.log10(2))


def test_one_task_alone_has_neither():
    means = Means()
    means.add_record(record([[3.0, 0.0]]))
    assert {quantity for _, quantity, _ in means.rows()} == {"weight", "gradient_norm"}


def test_history_has_the_parts_of_mixtures_averaged_over_the_steps():
    means = Means()
    for dice, cross_entropy in ((0.5, 2.0), (0.3, 1.0)):
        made = record([[3.0, 0.0], [0.0, 1.0]])
        made.parts_tensors = {"b": {"dice": torch.tensor(dice), "ce": torch.tensor(cross_entropy)}}
        means.add_record(made)
    values = {row[:2]: row[2] for row in means.rows()}
    assert values["b", "part dice"] == pytest.approx(0.4)
    assert values["b", "part ce"] == pytest.approx(1.5)
    assert not [quantity for task, quantity in values if task == "a" and quantity.startswith("part")]
