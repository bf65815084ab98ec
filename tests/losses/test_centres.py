"""Losses of objects as centres equal their formulas, and those of the boxes placed at their cells."""

import pytest
import torch
from laws import Case, laws_for
from torch.testing import assert_close

from equipoise.losses import (
    DenseGIoULoss,
    HeatMapFocalLoss,
    binary_focal,
    dense_giou,
    giou,
    heat_map_focal,
)


def maps(n, generator):
    """A target of 1 in about every sixth cell."""
    logits = 3 * torch.randn(n, 2, 3, 3, generator=generator, dtype=torch.float64)
    targets = 1.2 * torch.rand(n, 2, 3, 3, generator=generator, dtype=torch.float64)
    return logits, targets.clamp(max=1)


def distances(n, generator):
    prediction, target = 0.5 + 4 * torch.rand(2, n, 4, 2, 3, generator=generator, dtype=torch.float64)
    return prediction, target


def sparse(n, generator):
    prediction, target = distances(n, generator)
    holds = torch.rand(n, 1, 2, 3, generator=generator) < 0.4
    holds[:1] = True
    return prediction, target.where(holds, torch.nan)


CASES = [
    Case("heat map focal", heat_map_focal, maps, elementwise=False),
    Case(
        "heat map focal, exponents",
        heat_map_focal,
        maps,
        keywords={"gamma": 1.5, "beta": 0.5},
        elementwise=False,
        compiles=False,
    ),
    Case("dense GIoU", dense_giou, distances, compiles=False),
    Case("dense GIoU, few objects", dense_giou, sparse, elementwise=False),
]
test_laws, test_compiles = laws_for(CASES)


def test_heat_map_focal_is_the_equation_of_the_paper():
    """Zhou et al. eq. (1), cell by cell, with α = 1.5, β = 3."""
    logits, targets = maps(7, torch.Generator().manual_seed(1))
    total, centres = 0.0, 0
    for p, y in zip(logits.sigmoid().flatten().tolist(), targets.flatten().tolist(), strict=True):
        if y == 1:
            centres += 1
            total += (1 - p) ** 1.5 * torch.log(torch.tensor(p)).item()
        else:
            total += (1 - y) ** 3 * p**1.5 * torch.log(torch.tensor(1 - p)).item()
    assert 0 < centres < targets.numel()
    assert heat_map_focal(logits, targets, gamma=1.5, beta=3).item() == pytest.approx(-total / centres, rel=1e-5)


def test_its_sum_is_by_the_number_of_centres_and_by_1_of_none():
    logits, targets = maps(7, torch.Generator().manual_seed(2))
    each = heat_map_focal(logits, targets, reduction="none")
    assert each.shape == logits.shape
    assert_close(heat_map_focal(logits, targets, reduction="sum"), each.sum())
    assert_close(heat_map_focal(logits, targets), each.sum() / (targets == 1).sum())
    nowhere = 0.9 * targets
    assert_close(heat_map_focal(logits, nowhere), heat_map_focal(logits, nowhere, reduction="sum"))
    for reduction in ("mean", "sum"):
        loss = HeatMapFocalLoss(reduction=reduction)
        for some in (targets, nowhere):
            cells = heat_map_focal(logits, some, reduction="none")
            assert_close(loss.divisor(logits, some) * loss(logits, some), cells.sum())


def test_of_zeros_and_ones_it_is_the_focal_loss():
    logits, targets = maps(7, torch.Generator().manual_seed(3))
    targets = (targets == 1).double()
    for beta in (0.0, 4.0):
        expected = binary_focal(logits, targets, gamma=2.0, reduction="none")
        assert_close(heat_map_focal(logits, targets, beta=beta, reduction="none"), expected)


def test_around_a_centre_a_false_one_costs_less_the_nearer_it_is():
    targets = torch.tensor([0.0, 0.3, 0.6, 0.9])
    each = heat_map_focal(torch.zeros(4), targets, reduction="none")
    assert_close(each / each[0], torch.tensor([1.0, 0.7**4, 0.4**4, 0.1**4]))


def test_dense_giou_is_the_giou_of_the_boxes_at_their_cells():
    """A cell at (x, y) has the box x - l, y - t, x + r, y + b."""
    prediction, target = sparse(4, torch.Generator().manual_seed(4))
    expected, none = [], dense_giou(prediction, target, reduction="none")
    for n in range(4):
        for y in range(2):
            for x in range(3):
                if target[n, :, y, x].isnan().any():
                    assert none[n, y, x] == 0
                    continue
                pair = []
                for sides in (prediction, target):
                    left, top, right, bottom = sides[n, :, y, x]
                    pair.append(torch.stack([x - left, y - top, x + right, y + bottom])[None])
                expected.append(giou(*pair))
                assert_close(none[n, y, x], expected[-1])
    assert 0 < len(expected) < 4 * 2 * 3
    assert_close(dense_giou(prediction, target), torch.stack(expected).mean())
    assert_close(dense_giou(prediction, target, reduction="sum"), torch.stack(expected).sum())


def test_cells_without_object_have_no_gradient_whatever_is_said_there():
    prediction, target = sparse(4, torch.Generator().manual_seed(5))
    empty = target.isnan()
    prediction = prediction.masked_fill(empty, torch.inf).requires_grad_()
    (gradient,) = torch.autograd.grad(dense_giou(prediction, target), prediction)
    assert (gradient[empty] == 0).all()
    assert (gradient[~empty] != 0).any()


def test_no_object_at_all_is_0_with_a_graph():
    prediction = torch.rand(2, 4, 3, 3, requires_grad=True)
    loss = dense_giou(prediction, torch.full((2, 4, 3, 3), torch.nan))
    assert loss == 0
    assert (torch.autograd.grad(loss, prediction)[0] == 0).all()


def test_modules_are_their_functions():
    arguments = maps(5, torch.Generator().manual_seed(6))
    module = HeatMapFocalLoss(gamma=1.0, beta=3.0, reduction="sum")
    assert_close(module(*arguments), heat_map_focal(*arguments, gamma=1.0, beta=3.0, reduction="sum"))
    assert repr(module) == "HeatMapFocalLoss(gamma=1.0, beta=3.0, reduction='sum')"
    arguments = sparse(5, torch.Generator().manual_seed(6))
    assert_close(DenseGIoULoss()(*arguments), dense_giou(*arguments))
    assert_close(DenseGIoULoss(reduction="sum")(*arguments), dense_giou(*arguments, reduction="sum"))


MAP, SIDES = torch.rand(2, 3, 4), torch.rand(2, 4, 3)
IN_PART = SIDES.clone().index_fill(1, torch.tensor(2), torch.nan)
MISUSES = [
    (lambda: heat_map_focal(MAP, MAP[0]), r"logits and targets must have the same shape"),
    (lambda: heat_map_focal(MAP, MAP.long()), r"targets must be floating point.*\.float"),
    (lambda: heat_map_focal(MAP, MAP + 1), r"targets must lie in \[0, 1\], got 1.*: 1 is a centre"),
    (lambda: heat_map_focal(MAP, MAP, gamma=-1.0), r"gamma must lie in \[0, inf\), got -1.0"),
    (lambda: heat_map_focal(MAP, MAP, beta=-1.0), r"beta must lie in \[0, inf\), got -1.0"),
    (lambda: heat_map_focal(MAP, MAP, reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: HeatMapFocalLoss(beta=-1.0), r"beta must lie in \[0, inf\), got -1.0"),
    (lambda: HeatMapFocalLoss(reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: dense_giou(SIDES, SIDES[0]), r"prediction and target must have the same shape"),
    (lambda: dense_giou(MAP, MAP), r"prediction must have shape \[N, 4, ...\], of left, top, right, bottom, got"),
    (lambda: dense_giou(SIDES[0, 0], SIDES[0, 0]), r"prediction must have shape \[N, 4, ...\]"),
    (lambda: dense_giou(SIDES, IN_PART), r"target must be NaN in all four distances of a cell, or in none"),
    (lambda: dense_giou(SIDES, -SIDES), r"target must have x1 <= x2 and y1 <= y2"),
    (lambda: dense_giou(SIDES.long(), SIDES), r"prediction must be floating point"),
    (lambda: DenseGIoULoss(reduction="avg"), r"reduction must be .*got 'avg'"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
