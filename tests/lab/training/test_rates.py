"""The learning rate and the weight decay of each step, by their formulas, and that the optimiser has them."""

import dataclasses
import math
from itertools import pairwise
from typing import get_args

import pytest
import torch

import equipoise as eq
from equipoise.lab.settings import ScheduleName
from equipoise.lab.training import Settings, train
from equipoise.lab.training.learner import decay_at, rate_factor

SETTINGS = Settings(epochs=2, batch_size=64, learning_rate=0.01, weight_decay=0.2, clip_norm=None, patience=9)


@pytest.mark.parametrize("schedule", get_args(ScheduleName))
def test_warming_up_rises_in_equal_steps_to_where_the_schedule_begins(schedule):
    factors = [rate_factor(schedule, step, steps=20, warmup=4) for step in range(20)]
    assert factors[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert all(before >= after > 0 for before, after in pairwise(factors[4:]))
    assert factors[4:] == [rate_factor(schedule, step, steps=16, warmup=0) for step in range(16)]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [1.0] * 8),
        ("linear", [1 - t / 8 for t in range(8)]),
        ("cosine", [math.cos(math.pi * t / 16) ** 2 for t in range(8)]),  # the half-angle form
        ("step", [1.0, 1.0, 1.0, 1.0, 0.1, 0.1, 0.01, 0.01]),
    ],
)
def test_schedules_are_their_formulas(schedule, expected):
    assert [rate_factor(schedule, step, 8, 0) for step in range(8)] == pytest.approx(expected)


def test_steps_down_are_at_half_and_at_three_quarters():
    assert [rate_factor("step", step, 100, 0) for step in range(100)] == [1.0] * 50 + [0.1] * 25 + [0.01] * 25


def test_weight_decay_goes_from_one_end_to_the_other_in_half_a_cosine():
    values = [decay_at(step, 10, first=0.04, last=0.4) for step in range(11)]
    assert (values[0], values[5], values[10]) == pytest.approx((0.04, 0.22, 0.4))
    assert all(one + other == pytest.approx(0.44) for one, other in zip(values, reversed(values), strict=True))


@pytest.mark.parametrize("parts", [1, 3])
def test_each_step_has_its_rates(small_case, tmp_path, monkeypatch, parts):
    """However many parts it is taken in."""
    seen, step = [], torch.optim.AdamW.step

    def spy(self, *arguments, **options):
        seen.append([(group["lr"], group["weight_decay"]) for group in self.param_groups])
        return step(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.AdamW, "step", spy)
    settings = dataclasses.replace(SETTINGS, schedule="cosine", warmup=3, weight_decay_end=0.0, micro_batches=parts)
    train(small_case, small_case.tasks.names, eq.UW(), 0, settings, tmp_path)
    assert [rates[0] for rates in seen] == [
        (0.01 * rate_factor("cosine", i, 10, 3), pytest.approx(decay_at(i, 10, 0.2, 0.0))) for i in range(10)
    ]
    # what the method learns follows the learning rate and is never pulled towards 0
    assert [rates[1] for rates in seen] == [(rates[0][0], 0.0) for rates in seen]


def test_a_training_that_only_warms_up_is_refused(small_case, tmp_path):
    settings = dataclasses.replace(SETTINGS, warmup=10)
    with pytest.raises(ValueError, match="warmup must be less than all 10 steps of the training, got 10"):
        train(small_case, small_case.tasks.names, eq.Sum(), 0, settings, tmp_path)
