"""Box losses equal counted cells and their formulas, at any scale, with finite gradients for any box."""

import math

import pytest
import torch
from laws import Case, laws_for
from torch.testing import assert_close

from equipoise.losses.boxes import CIoULoss, DIoULoss, GIoULoss, IoULoss, ciou, diou, giou, iou


def boxes(n, generator):
    corners = 4 * torch.rand(2, n, 2, generator=generator, dtype=torch.float64)
    sizes = 1 + 6 * torch.rand(2, n, 2, generator=generator, dtype=torch.float64)
    prediction, target = torch.cat([corners, corners + sizes], dim=2)
    return prediction, target


def alike(n, generator):
    """Pairs of one aspect ratio: v = 0, and held-fixed α leaves the gradient the derivative."""
    _, target = boxes(n, generator)
    middle, half = (target[:, :2] + target[:, 2:]) / 2, (target[:, 2:] - target[:, :2]) / 2
    middle = middle + torch.rand(n, 2, generator=generator, dtype=torch.float64)
    half = half * (0.5 + torch.rand(n, 1, generator=generator, dtype=torch.float64))
    return torch.cat([middle - half, middle + half], dim=1), target


LOSSES = [iou, giou, diou, ciou]
CASES = [
    Case("IoU", iou, boxes),
    Case("GIoU", giou, boxes),
    Case("DIoU", diou, boxes),
    Case("CIoU", ciou, alike),
]
test_laws, test_compiles = laws_for(CASES)


def cells(box):
    x1, y1, x2, y2 = box
    return {(x, y) for x in range(x1, x2) for y in range(y1, y2)}


def whole_boxes(n, seed):
    corners = torch.randint(8, (2, n, 2), generator=torch.Generator().manual_seed(seed))
    sizes = torch.randint(1, 7, (2, n, 2), generator=torch.Generator().manual_seed(seed + 1))
    return torch.cat([corners, corners + sizes], dim=2)


def test_iou_and_giou_count_cells():
    prediction, target = whole_boxes(60, seed=1)
    overlaps, generalised = [], []
    for one, other in zip(prediction.tolist(), target.tolist(), strict=True):
        a, b = cells(one), cells(other)
        around = cells([*map(min, one[:2], other[:2]), *map(max, one[2:], other[2:])])
        overlaps.append(len(a & b) / len(a | b))
        generalised.append(overlaps[-1] - len(around - a - b) / len(around))
    assert 0 in overlaps  # some do not meet
    prediction, target = prediction.double(), target.double()
    assert_close(iou(prediction, target, reduction="none"), 1 - torch.tensor(overlaps, dtype=torch.float64))
    assert_close(giou(prediction, target, reduction="none"), 1 - torch.tensor(generalised, dtype=torch.float64))


def of_shape(prediction, target):
    """ρ² / c², v and α of one pair, as the paper writes them."""
    (a1, b1, a2, b2), (x1, y1, x2, y2) = prediction, target
    distance = ((a1 + a2 - x1 - x2) ** 2 + (b1 + b2 - y1 - y2) ** 2) / 4
    diagonal = (max(a2, x2) - min(a1, x1)) ** 2 + (max(b2, y2) - min(b1, y1)) ** 2
    v = 4 / math.pi**2 * (math.atan((x2 - x1) / (y2 - y1)) - math.atan((a2 - a1) / (b2 - b1))) ** 2
    common = max(0, min(a2, x2) - max(a1, x1)) * max(0, min(b2, y2) - max(b1, y1))
    overlap = common / ((a2 - a1) * (b2 - b1) + (x2 - x1) * (y2 - y1) - common)
    return overlap, distance / diagonal, v, v / (1 - overlap + v)


def test_diou_and_ciou_are_their_formulas():
    prediction, target = whole_boxes(60, seed=3).double()
    parts = [of_shape(*pair) for pair in zip(prediction.tolist(), target.tolist(), strict=True)]
    overlap, distance, v, alpha = torch.tensor(parts, dtype=torch.float64).unbind(dim=1)
    assert_close(diou(prediction, target, reduction="none"), 1 - overlap + distance)
    assert_close(ciou(prediction, target, reduction="none"), 1 - overlap + distance + alpha * v)


def test_alpha_is_a_constant_to_the_gradient_of_ciou():
    """∂v/∂w = -8/π² (arctan w_t/h_t - arctan w/h) h / (w² + h²), by hand."""
    prediction, target = torch.tensor([[0.0, 0.0, 4.0, 2.0]]).double(), torch.tensor([[1.0, 0.0, 3.0, 6.0]]).double()
    prediction.requires_grad_()
    (gradient,) = torch.autograd.grad(ciou(prediction, target) - diou(prediction, target), prediction)
    *_, alpha = of_shape(prediction[0].tolist(), target[0].tolist())
    slope = -8 / math.pi**2 * (math.atan(2 / 6) - math.atan(4 / 2)) * alpha / (4**2 + 2**2)
    expected = [-slope * 2, slope * 4, slope * 2, -slope * 4]  # ∂w: h, ∂h: -w
    assert_close(gradient[0], torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("loss", LOSSES)
def test_unit_and_origin_do_not_matter(loss):
    prediction, target = boxes(20, torch.Generator().manual_seed(4))
    expected = loss(prediction, target, reduction="none")
    for unit in (1e-30, 1e-3, 640.0, 1e30):
        assert_close(loss(unit * prediction, unit * target, reduction="none"), expected)
        short = loss((unit * prediction).float(), (unit * target).float(), reduction="none")
        assert_close(short, expected.float(), rtol=1e-4, atol=1e-5)
    assert_close(loss(prediction - 7, target - 7, reduction="none"), expected)
    turned = [1, 0, 3, 2]
    assert_close(loss(prediction[:, turned], target[:, turned], reduction="none"), expected)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_target_is_0_and_nothing_is_below(loss):
    prediction, target = boxes(20, torch.Generator().manual_seed(5))
    target.requires_grad_()
    values = loss(target, target.detach(), reduction="none")
    assert_close(values, torch.zeros_like(values))
    assert_close(torch.autograd.grad(values.sum(), target)[0], torch.zeros_like(target))
    assert (loss(prediction, target, reduction="none") > 0).all()


def test_boxes_that_do_not_meet_are_pulled_together():
    """Except by IoU, which cannot tell."""
    target = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    for loss, far, near in ((iou, 1.0, 1.0), (giou, 2 - 2 / 11, 2 - 2 / 3), (diou, 1 + 100 / 122, 1 + 4 / 10)):
        away = torch.tensor([[10.0, 0.0, 11.0, 1.0], [2.0, 0.0, 3.0, 1.0]], requires_grad=True)
        values = loss(away, target.expand(2, 4), reduction="none")
        assert_close(values, torch.tensor([far, near]))
        slope = torch.autograd.grad(values.sum(), away)[0][:, [0, 2]].sum(dim=1)
        assert (slope == 0).all() if loss is iou else (slope > 0).all()


ODD = [
    [0.0, 0.0, 1.0, 1.0],
    [0.0, 0.0, 0.0, 0.0],  # a point
    [2.0, 2.0, 2.0, 5.0],  # lines
    [0.0, 5.0, 3.0, 5.0],
    [1.0, 0.0, 3.0, 1.0],  # touches the first
    [0.0, 0.0, 1e-30, 1.0],
    [0.0, 0.0, 1e-30, 1e-30],
    [-1e37, -1e37, 1e37, 1e37],
    [1.0, 1.0, 0.0, 0.0],  # corners in no order
    [3.0, -1.0, -2.0, 4.0],
]


@pytest.mark.parametrize("loss", LOSSES)
def test_every_box_has_a_finite_loss_and_gradient(loss):
    for one in ODD:
        for other in ODD[:-2]:
            prediction = torch.tensor([one], requires_grad=True)
            value = loss(prediction, torch.tensor([other]))
            assert 0 <= value <= (3 if loss is ciou else 2)
            assert torch.autograd.grad(value, prediction)[0].isfinite().all()


@pytest.mark.parametrize("loss", LOSSES)
def test_boxes_without_area_overlap_nothing(loss):
    for box in ODD[1:4]:
        assert loss(torch.tensor([box]), torch.tensor([box])) == 1
    assert iou(torch.tensor([ODD[-1]]), torch.tensor([ODD[0]])) == 1


def test_corners_in_no_order_have_no_area_and_both_are_enclosed():
    """Width 3 - 5 is 0: the union is the target's 1 cell of the 5 from 0 to 5."""
    prediction, target = torch.tensor([[5.0, 0.0, 3.0, 1.0]]), torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    assert iou(prediction, target) == 1
    assert_close(giou(prediction, target).item(), 1 + (5 - 1) / 5)
    assert_close(diou(prediction, target).item(), 1 + (4 - 0.5) ** 2 / (5**2 + 1**2))


@pytest.mark.parametrize(("module", "loss"), [(IoULoss, iou), (GIoULoss, giou), (DIoULoss, diou), (CIoULoss, ciou)])
def test_modules_are_their_functions(module, loss):
    arguments = boxes(5, torch.Generator().manual_seed(6))
    assert repr(module(reduction="sum")) == f"{module.__name__}(reduction='sum')"
    assert_close(module(reduction="sum")(*arguments), loss(*arguments, reduction="sum"))
    assert_close(module()(*arguments), loss(*arguments))


def test_boxes_need_not_lie_in_memory_in_order():
    prediction, target = boxes(5, torch.Generator().manual_seed(7))
    assert_close(giou(prediction.t().contiguous().t(), target), giou(prediction, target))


BOXES = torch.tensor([[0.0, 0.0, 2.0, 3.0]])
CENTRED = torch.tensor([[5.0, 5.0, 2.0, 3.0]])
MISUSES = [
    (lambda: iou(BOXES, CENTRED), r"target must have x1 <= x2 and y1 <= y2, got \[5.0, 5.0, 2.0, 3.0\]: order"),
    (lambda: giou(BOXES, BOXES[0]), r"prediction and target must have the same shape"),
    (lambda: giou(BOXES[0], BOXES[0]), r"prediction must have shape \[N, 4\]"),
    (lambda: diou(BOXES[:, :2], BOXES[:, :2]), r"prediction must have shape \[N, 4\], of x1, y1, x2, y2"),
    (lambda: ciou(BOXES, BOXES.expand(3, 4)), r"prediction and target must have the same shape"),
    (lambda: ciou(BOXES, BOXES.long()), r"target must be floating point.*\.float"),
    (lambda: iou(BOXES.tolist(), BOXES), r"prediction must be a tensor, got list"),
    (lambda: iou(BOXES, BOXES, reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: CIoULoss(reduction="avg"), r"reduction must be .*got 'avg'"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
