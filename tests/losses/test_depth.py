"""Depth losses equal their formulas, and what does not count is as if it were not there."""

import math

import pytest
import torch
from laws import Case, laws_for
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

from equipoise.losses.depth import BerHuLoss, CosineNormalsLoss, SILogLoss, berhu, cosine_normals, silog


def depths(n, generator):
    """With holes: about a third of the pixels have no target; each image keeps its first."""
    prediction, target = (torch.randn(n, 3, 4, generator=generator, dtype=torch.float64).exp() for _ in range(2))
    hole = torch.rand(n, 3, 4, generator=generator) < 0.3
    hole[:, 0, 0] = False
    return prediction, target.masked_fill(hole, 0.0)


def values(n, generator):
    return tuple(torch.randn(n, 4, generator=generator, dtype=torch.float64) for _ in range(2))


def normals(n, generator):
    return tuple(torch.randn(n, 3, 2, 4, generator=generator, dtype=torch.float64) for _ in range(2))


def berhu_beside_a_far_one(prediction, target, reduction="mean"):
    """c comes from one more element, which is no argument: without gradient, it must not move under gradcheck."""
    far = prediction.new_full((1, 4), 6.0)
    padded = torch.cat([prediction, far]), torch.cat([target, torch.zeros_like(far)])
    return berhu(*padded, reduction=reduction)


CASES = [
    Case("silog", silog, depths),
    Case("silog, all scale forgiven", silog, depths, keywords={"lambd": 1.0}),
    Case("berhu", berhu_beside_a_far_one, values, empty=False),
    Case("cosine normals", cosine_normals, normals),
]
test_laws, test_compiles = laws_for(CASES)


@pytest.mark.parametrize("lambd", [0.0, 0.5, 0.85, 1.0])
def test_silog_is_its_formula_image_by_image(lambd):
    """Eq. (4): sum d^2 / n - lambda (sum d)^2 / n^2."""
    prediction, target = depths(5, torch.Generator().manual_seed(1))
    expected = []
    for image, truth in zip(prediction, target, strict=True):
        d = image[truth > 0].log() - truth[truth > 0].log()
        expected.append(d.square().sum() / len(d) - lambd * d.sum() ** 2 / len(d) ** 2)
    assert_close(silog(prediction, target, lambd=lambd, reduction="none"), torch.stack(expected))
    assert_close(silog(prediction, target, lambd=lambd), torch.stack(expected).mean())


def test_silog_equals_the_pairwise_form():
    """Eq. (3) at lambda 1: sum over pairs ((log y_i - log y_j) - (log y*_i - log y*_j))^2 / 2n^2."""
    prediction, target = (torch.rand(1, 3, 4, dtype=torch.float64) + 0.1 for _ in range(2))
    d = (prediction / target).log().flatten()
    pairs = (d[:, None] - d[None, :]).square().sum() / (2 * 12**2)
    assert_close(silog(prediction, target, lambd=1.0), pairs)


def test_silog_of_one_factor():
    # all d = log 3: (log 3)^2 (1 - lambda), nothing at lambda 1
    target = torch.rand(2, 4, 4, dtype=torch.float64) + 0.5
    for lambd in (0.0, 0.5, 1.0):
        loss = silog(3 * target, target, lambd=lambd).item()
        assert loss == pytest.approx((1 - lambd) * math.log(3) ** 2, abs=1e-12)


def test_silog_is_never_negative():
    """Squares minus squares would be, by rounding, and the root of it NaN."""
    target = torch.rand(50, 8, 8) + 0.5
    assert (silog(7 * target, target, lambd=1.0, reduction="none") >= 0).all()


def test_silog_is_that_of_bts_under_the_root():
    """BTS, bts.py: sqrt((d^2).mean() - 0.85 d.mean()^2) * 10 over the valid pixels of a batch, here one image."""
    prediction, target = depths(1, torch.Generator().manual_seed(2))
    mask = target > 0
    d = torch.log(prediction[mask]) - torch.log(target[mask])
    bts = torch.sqrt((d**2).mean() - 0.85 * (d.mean() ** 2)) * 10.0
    assert_close(10 * silog(prediction, target, lambd=0.85).sqrt(), bts)


def test_berhu_is_its_formula():
    """Laina et al., eq. (2), c = max |x| / 5."""
    prediction, target = values(20, torch.Generator().manual_seed(3))
    x = prediction - target
    c = 0.2 * x.abs().max()
    expected = torch.where(x.abs() <= c, x.abs(), (x * x + c * c) / (2 * c))
    assert_close(berhu(prediction, target, reduction="none"), expected)


def test_berhu_has_no_gradient_through_c():
    # errors 10, 1, 4: c = 2; slopes 10/2, 1, 4/2, over 3 of the mean
    prediction = torch.tensor([10.0, -1.0, 4.0], requires_grad=True)
    loss = berhu(prediction, torch.zeros(3))
    (slope,) = torch.autograd.grad(loss, prediction)
    assert_close(loss, torch.tensor((104 / 4 + 1 + 20 / 4) / 3))
    assert_close(slope, torch.tensor([5.0, -1.0, 2.0]) / 3)


def test_berhu_has_no_jump_and_no_corner_at_c():
    around = torch.tensor([1.0, 0.2 - 1e-9, 0.2 + 1e-9], dtype=torch.float64, requires_grad=True)  # c = 0.2
    losses = berhu(around, torch.zeros_like(around), reduction="none")
    (slope,) = torch.autograd.grad(losses.sum(), around)
    assert_close(losses[1], losses[2])
    assert_close(slope[1:], torch.ones(2, dtype=torch.float64))


def test_berhu_of_threshold_1_is_the_absolute_error():
    prediction, target = values(6, torch.Generator().manual_seed(4))
    assert_close(berhu(prediction, target, threshold=1.0), F.l1_loss(prediction, target))


def test_a_perfect_prediction_has_no_gradient():
    target = torch.rand(2, 3, 4, 4) + 0.5
    for loss in (silog, berhu):
        prediction = target.clone().requires_grad_()
        value = loss(prediction, target)
        (slope,) = torch.autograd.grad(value, prediction)
        assert value == 0
        assert (slope == 0).all()
    prediction = target.clone().requires_grad_()
    (slope,) = torch.autograd.grad(cosine_normals(prediction, target), prediction)
    assert_close(slope, torch.zeros_like(slope))


@pytest.mark.parametrize("degrees", [0.0, 30.0, 90.0, 135.0, 180.0])
def test_cosine_of_an_angle(degrees):
    angle = math.radians(degrees)
    prediction = torch.tensor([math.cos(angle), math.sin(angle), 0.0]).mul(7.0).view(1, 3, 1, 1)
    target = torch.tensor([0.5, 0.0, 0.0]).view(1, 3, 1, 1)
    assert_close(cosine_normals(prediction, target).item(), 1 - math.cos(angle), rtol=1e-5, atol=1e-6)


def test_cosine_normals_is_one_minus_that_of_torch():
    prediction, target = normals(5, torch.Generator().manual_seed(5))
    losses = cosine_normals(prediction, target, reduction="none")
    assert losses.shape == (5, 2, 4)
    assert_close(losses, 1 - F.cosine_similarity(prediction, target, dim=1))


def test_length_of_normals_does_not_matter():
    prediction, target = normals(5, torch.Generator().manual_seed(6))
    assert_close(cosine_normals(1e-3 * prediction, 1e4 * target), cosine_normals(prediction, target))


def test_a_prediction_of_length_0_is_pulled_towards_the_target():
    prediction, target = torch.zeros(1, 3, 1, 1, requires_grad=True), torch.tensor([0.0, 3.0, 4.0]).view(1, 3, 1, 1)
    loss = cosine_normals(prediction, target)
    (slope,) = torch.autograd.grad(loss, prediction)
    assert loss == 1
    assert_close(slope.flatten(), torch.tensor([0.0, -0.6, -0.8]))


@pytest.mark.parametrize("missing", [0.0, -1.0, math.nan])
def test_silog_without_a_pixel_is_silog_of_the_others(missing):
    """Whether the target or the mask says so; whatever is predicted there."""
    target = torch.rand(2, 3, 4, dtype=torch.float64) + 0.5
    prediction = torch.rand(2, 3, 4, dtype=torch.float64) + 0.5
    expected = silog(prediction[:, :, 1:], target[:, :, 1:])
    mask = torch.ones(2, 3, 4, dtype=torch.bool)
    mask[:, :, 0] = False
    wild = prediction.clone()
    wild[:, :, 0] = -5.0
    wild.requires_grad_()
    for loss in (silog(wild, target.masked_fill(~mask, missing)), silog(wild, target, mask=mask)):
        assert_close(loss, expected)
        (slope,) = torch.autograd.grad(loss, wild)
        assert (slope[:, :, 0] == 0).all()
        assert slope.isfinite().all()


def test_an_image_without_depth_is_as_if_removed():
    prediction, target = depths(4, torch.Generator().manual_seed(7))
    expected = silog(prediction[1:], target[1:])
    target[0] = 0.0
    assert_close(silog(prediction, target), expected)
    assert silog(prediction, target, reduction="none")[0] == 0


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_berhu_without_an_element_is_berhu_of_the_others(reduction):
    """The largest of all among them: it does not set c."""
    prediction, target = values(6, torch.Generator().manual_seed(8))
    mask = torch.ones(6, 4, dtype=torch.bool)
    mask[:2] = False
    for hidden in (1e3, math.nan):
        holes = target.masked_fill(~mask, hidden)
        learned = prediction.clone().requires_grad_()
        loss = berhu(learned, holes, mask=mask, reduction=reduction)
        assert_close(loss, berhu(prediction[2:], target[2:], reduction=reduction))
        (slope,) = torch.autograd.grad(loss, learned)
        assert (slope[:2] == 0).all()
        assert slope.isfinite().all()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_normals_without_a_pixel_are_those_of_the_others(reduction):
    prediction, target = normals(4, torch.Generator().manual_seed(9))
    expected = cosine_normals(prediction[..., 1:], target[..., 1:], reduction=reduction)
    mask = torch.ones(4, 2, 4, dtype=torch.bool)
    mask[..., 0] = False
    prediction.requires_grad_()
    for missing, by in ((0.0, None), (math.nan, None), (2.0, mask), (math.nan, mask)):
        holes = target.masked_fill(~mask[:, None], missing)
        loss = cosine_normals(prediction, holes, mask=by, reduction=reduction)
        assert_close(loss, expected)
        (slope,) = torch.autograd.grad(loss, prediction)
        assert (slope[..., 0] == 0).all()
        assert slope.isfinite().all()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_all_masked_is_0_with_a_graph(reduction):
    for loss, make, places in (
        (silog, depths, (3, 3, 4)),
        (berhu, values, (3, 4)),
        (cosine_normals, normals, (3, 2, 4)),
    ):
        prediction, target = make(3, torch.Generator().manual_seed(10))
        prediction.requires_grad_()
        value = loss(prediction, target, mask=torch.zeros(places, dtype=torch.bool), reduction=reduction)
        (slope,) = torch.autograd.grad(value.sum(), prediction)
        assert (value == 0).all()
        assert (slope == 0).all()


def test_an_empty_batch_of_berhu_is_nan_as_that_of_torch():
    assert berhu(torch.zeros(0, 4), torch.zeros(0, 4)).isnan()
    assert berhu(torch.zeros(0, 4), torch.zeros(0, 4), reduction="sum") == 0


def test_modules_are_their_functions():
    prediction, target = depths(4, torch.Generator().manual_seed(11))
    mask = torch.rand(4, 3, 4) < 0.8
    module = SILogLoss(lambd=0.85, reduction="sum")
    assert_close(module(prediction, target), silog(prediction, target, lambd=0.85, reduction="sum"))
    assert_close(module(prediction, target, mask), silog(prediction, target, lambd=0.85, mask=mask, reduction="sum"))
    assert repr(module) == "SILogLoss(lambd=0.85, reduction='sum')"
    module = BerHuLoss(threshold=0.5, reduction="sum")
    assert_close(module(prediction, target, mask), berhu(prediction, target, threshold=0.5, mask=mask, reduction="sum"))
    assert repr(module) == "BerHuLoss(threshold=0.5, reduction='sum')"
    prediction, target = normals(4, torch.Generator().manual_seed(11))
    mask = torch.rand(4, 2, 4) < 0.8
    module = CosineNormalsLoss(reduction="sum")
    assert_close(module(prediction, target, mask), cosine_normals(prediction, target, mask=mask, reduction="sum"))


def test_what_never_came_back_is_no_reading():
    prediction, target = torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([[[2.0, 1.0, torch.inf]]])
    assert_close(silog(prediction, target), silog(prediction[..., :2], target[..., :2]))


D, N = torch.rand(2, 4, 4) + 0.1, torch.randn(2, 3, 4, 4)
MISUSES = [
    (lambda: silog(D[:, None], D), r"prediction and target must have the same shape, got \(2, 1, 4, 4\)"),
    (lambda: silog(D, D.long()), r"target must be floating point.*\.float"),
    (lambda: silog(D[0], D[0]), r"prediction must have shape \[N, ..., H, W\], got \(4, 4\)"),
    (lambda: silog(D - 1, D), r"prediction must be positive depths, got -.*take \.exp\(\)"),
    (lambda: silog(D, D, lambd=1.5), r"lambd must lie in \[0, 1\], got 1.5"),
    (lambda: silog(D, D, mask=D), r"mask must be boolean, .*got torch.float32: convert"),
    (
        lambda: silog(D, D, mask=(D > 0)[:, :1]),
        r"mask and target .*got \(2, 1, 4\) and \(2, 4, 4\)",
    ),
    (lambda: silog(D, D, reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: SILogLoss(lambd=-0.1), r"lambd must lie in \[0, 1\], got -0.1"),
    (lambda: SILogLoss(reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: berhu(D, D[:, :2]), r"prediction and target must have the same shape"),
    (lambda: berhu(D, D, threshold=0.0), r"threshold must lie in \(0, 1\], got 0.0"),
    (lambda: berhu(D, D, mask=D > 0, reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: berhu(D, D, mask=[True]), r"mask must be a tensor, got list"),
    (lambda: BerHuLoss(threshold=2.0), r"threshold must lie in \(0, 1\], got 2.0"),
    (lambda: BerHuLoss(reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: cosine_normals(N[:, :2], N[:, :2]), r"prediction must have shape \[N, 3, H, W\], got \(2, 2, 4, 4\)"),
    (lambda: cosine_normals(N[0], N[0]), r"prediction must have shape \[N, 3, H, W\], got \(3, 4, 4\)"),
    (lambda: cosine_normals(N, N, mask=N > 0), r"mask and pixels must have the same shape, got \(2, 3, 4, 4\)"),
    (lambda: CosineNormalsLoss(reduction="avg"), r"reduction must be .*got 'avg'"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
