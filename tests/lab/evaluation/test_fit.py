from pathlib import Path

import pytest

from equipoise.lab.evaluation import StudyResults, fit_of, judge_fit
from equipoise.lab.evaluation.study import curves_of


def curve(*values):
    return dict(enumerate(values, start=1))


FALLING = curve(1.0, 0.8, 0.6, 0.5, 0.45)


@pytest.mark.parametrize(
    ("train", "validation", "epochs", "expected"),
    [
        (FALLING, curve(1.0, 0.7, 0.5, 0.56, 0.6), 5, "over-fitting"),  # rose by 0.1 of a range of 0.5
        (FALLING, curve(1.0, 0.7, 0.5, 0.52, 0.54), 5, "neither"),  # by 0.04: noise
        (curve(1.0, 0.8, 0.6, 0.7, 0.7), curve(1.0, 0.7, 0.5, 0.56, 0.6), 5, "neither"),  # training got worse too
        (curve(1.0, 0.8, 0.6, 0.6, 0.6), curve(1.0, 0.7, 0.5, 0.56, 0.6), 5, "neither"),  # training stood still
        (FALLING, curve(1.0, 0.9, 0.8, 0.7, 0.6), 5, "under-fitting"),
        (FALLING, curve(1.0, 0.9, 0.8, 0.7, 0.6), 8, "neither"),  # patience ended it, not the budget
        (FALLING, curve(1.0, 0.8, 0.7, 0.66, 0.655), 5, "neither"),  # flat at the end
        (curve(1.0, 0.8, 0.6, 0.5, 0.55), curve(1.0, 0.9, 0.8, 0.7, 0.6), 5, "neither"),  # training does not fall
        (FALLING, curve(0.5, 0.6, 0.7, 0.8, 0.9), 5, "over-fitting"),  # from the first epoch on
        (curve(1.0, 0.5), curve(1.0, 0.5), 2, "not judged"),
        (FALLING, curve(0.5, 0.5, 0.5, 0.5, 0.5), 5, "neither"),
    ],
)
def test_the_rule(train, validation, epochs, expected):
    assert judge_fit(train, validation, epochs) == expected


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_neither_unit_nor_origin_of_a_loss_matters(scale):
    for validation in (
        curve(1.0, 0.7, 0.5, 0.56, 0.6),
        curve(1.0, 0.9, 0.8, 0.7, 0.6),
        curve(1.0, 0.7, 0.5, 0.51, 0.5),
    ):
        moved = {epoch: scale * (value - 3) for epoch, value in validation.items()}
        assert judge_fit(FALLING, moved, 5) == judge_fit(FALLING, validation, 5)


def test_epochs_without_a_finite_loss_are_left_out():
    assert judge_fit({1: 1.0, 3: 0.5, 4: 0.4}, {1: 1.0, 2: 0.1, 3: 0.5, 4: 0.8}, 4) == "over-fitting"


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize(("nan", "fit"), [((4, 5), "not judged"), ((2,), "neither")])
def test_a_run_whose_loss_ends_not_finite_is_not_judged(split, nan, fit):
    rows = [
        {"method": "sum", "seed": "0", "task": "a", "split": of, "quantity": "loss", "epoch": str(epoch)}
        | {"value": "nan" if of == split and epoch in nan else str(1 / epoch)}
        for of in ("train", "validation")
        for epoch in range(1, 6)
    ]
    curves, not_finite = curves_of(rows)
    study = StudyResults(Path(), {"settings": {"epochs": 9}}, (), (), curves, not_finite, ())
    assert fit_of(study, "sum", "a", 0) == fit
