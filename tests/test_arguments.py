import math

import pytest
import torch

import equipoise as eq
from equipoise.arguments import one_per_task, whole_number, within


@pytest.mark.parametrize(
    ("interval", "inside", "outside"),
    [
        ("[0, 1)", [0, 0.5, torch.tensor(0.25)], [-1e-9, 1, math.nan, math.inf]),
        ("(0, 1]", [1e-9, 1], [0, 1.001]),
        ("(0, inf)", [1e300], [0, math.inf, -math.inf]),
        ("(0, inf]", [math.inf], [0]),
        ("(-inf, inf)", [-5.0], [math.inf, math.nan]),
    ],
)
def test_an_interval_is_meant_as_it_is_written(interval, inside, outside):
    within(interval, share=inside)
    for value in inside:
        within(interval, share=value)
    for value in outside:
        with pytest.raises(ValueError, match=r"^share must be in "):
            within(interval, share=value)
        with pytest.raises(ValueError, match=r"^share must be in "):
            within(interval, share=[*inside, value])


@pytest.mark.parametrize("value", ["0.5", None, [None], torch.zeros(1, 2)])
def test_what_is_no_number_is_refused_by_its_name(value):
    with pytest.raises(ValueError, match=r"^beta must be a number, got "):
        within("[0, 1)", alpha=0.5, beta=value)
    with pytest.raises(ValueError, match=r"^beta must be a number, got "):
        eq.RunningNorm(beta=value)


def test_whole_numbers_and_one_value_per_task():
    whole_number(1, steps=1, ramp=5)
    with pytest.raises(ValueError, match=r"^ramp must be a whole number, 1 or more, got 1.0"):
        whole_number(1, steps=1, ramp=1.0)
    one_per_task(2, weights=(1.0, None))
    with pytest.raises(ValueError, match=r"^weights must hold one value for each of 3 tasks, got \[1.0, None\]"):
        one_per_task(3, weights=(1.0, None))
