"""Signed distances equal brute force and SciPy; the loss is the mean of p φ."""

import numpy as np
import pytest
import torch
from laws import Case, laws_for
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

from equipoise.losses.boundary import BoundaryLoss, boundary, signed_distance


def fields(n, generator):
    logits = 2 * torch.randn(n, 3, 4, 5, generator=generator, dtype=torch.float64)
    targets = torch.randint(3, (n, 4, 5), generator=generator)
    return logits, signed_distance(one_hot(targets, 3)).double()


def one_hot(targets, num_classes):
    return F.one_hot(targets, num_classes).movedim(-1, 1).bool()


CASES = [Case("boundary", boundary, fields)]
test_laws, test_compiles = laws_for(CASES)


def blobs(*shape, seed=0):
    """Masks of several pixels' size."""
    noise = torch.randn(2, 3, *(1 + length // 4 for length in shape), generator=torch.Generator().manual_seed(seed))
    for dim, length in enumerate(shape, start=2):
        noise = noise.repeat_interleave(4, dim=dim).narrow(dim, 0, length)
    return noise > 0.3


def brute_force(mask):
    """To the nearest pixel of the other kind, of all pairs; of one mask."""
    places = torch.cartesian_prod(*(torch.arange(length) for length in mask.shape)).reshape(mask.numel(), -1).double()
    gaps = torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist")
    inside = mask.flatten()
    nearest = gaps.masked_fill(inside.unsqueeze(0) == inside.unsqueeze(1), torch.inf).amin(dim=1)
    return torch.where(inside, -nearest, nearest).view(mask.shape).float()


@pytest.mark.parametrize("shape", [(17,), (13, 9), (1, 12), (12, 1), (7, 5, 8)])
def test_distances_are_the_least_of_all_pairs(shape):
    for masks in (blobs(*shape), torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(1)) < 0.15):
        distances = signed_distance(masks)
        assert distances.dtype == torch.float32
        for mask, distance in zip(masks.flatten(0, 1), distances.flatten(0, 1), strict=True):
            expected = brute_force(mask) if 0 < mask.sum() < mask.numel() else torch.zeros(shape)
            assert_close(distance, expected)


def test_distances_are_those_of_scipy():
    ndimage = pytest.importorskip("scipy.ndimage")
    masks = blobs(60, 90, seed=2)
    for mask, distance in zip(masks.flatten(0, 1).numpy(), signed_distance(masks).flatten(0, 1), strict=True):
        expected = ndimage.distance_transform_edt(~mask) - ndimage.distance_transform_edt(mask)
        assert_close(distance, torch.from_numpy(expected.astype(np.float32)))


def test_the_other_side_has_the_other_sign():
    masks = blobs(20, 30, seed=3)
    assert_close(signed_distance(~masks), -signed_distance(masks))
    assert ((signed_distance(masks) < 0) == masks).all()


def test_distances_turn_with_the_image():
    masks = blobs(20, 30, seed=4)
    assert_close(signed_distance(masks.transpose(2, 3)), signed_distance(masks).transpose(2, 3))
    assert_close(signed_distance(masks.flip(3)), signed_distance(masks).flip(3))


def test_a_mask_without_a_boundary_has_distance_0():
    masks = torch.stack([torch.zeros(4, 5), torch.ones(4, 5)]).bool().unsqueeze(0)
    assert (signed_distance(masks) == 0).all()
    assert signed_distance(torch.zeros(0, 2, 4, 5).bool()).shape == (0, 2, 4, 5)


def test_it_is_its_formula():
    logits, distances = fields(5, torch.Generator().manual_seed(5))
    products = logits.exp() / logits.exp().sum(dim=1, keepdim=True) * distances
    assert_close(boundary(logits, distances), products.mean())
    assert_close(boundary(logits, distances, reduction="none"), products)


def test_the_target_is_the_best_prediction():
    """Each class is negative in its own region alone: no other decision has a lower mean."""
    targets = torch.randint(3, (4, 6, 7), generator=torch.Generator().manual_seed(6))
    distances = signed_distance(one_hot(targets, 3))
    best = boundary(100.0 * one_hot(targets, 3), distances)
    assert_close(best, distances.clamp(max=0).mean())
    for seed in range(5):
        others = torch.randint(3, (4, 6, 7), generator=torch.Generator().manual_seed(seed))
        assert boundary(100.0 * one_hot(others, 3), distances) > best


def test_a_false_pixel_costs_by_how_far_off_it_is():
    """Of two classes in a line, each mass of one pixel costs its distance twice: in its class, and in the other."""
    distances = signed_distance(torch.tensor([[[True] * 3 + [False] * 3, [False] * 3 + [True] * 3]]))
    logits = torch.zeros(1, 2, 6, requires_grad=True)
    (gradient,) = torch.autograd.grad(boundary(logits, distances, reduction="sum"), logits)
    # d p_0 / d z_0 = 1/4, and φ_0 - φ_1 = -6, -4, -2, 2, 4, 6
    assert_close(gradient[0, 0], torch.tensor([-6.0, -4.0, -2.0, 2.0, 4.0, 6.0]) / 4)


def test_pixels_of_distance_0_cost_nothing():
    logits, distances = fields(5, torch.Generator().manual_seed(7))
    distances[:, :, 2:] = 0
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(boundary(logits, distances), logits)
    assert (gradient[:, :, 2:] == 0).all()
    assert (boundary(logits, 0 * distances), boundary(logits[:0], distances[:0]).isnan()) == (0, True)


@pytest.mark.parametrize("certainty", [1e3, -1e3])
def test_certainty_has_a_finite_gradient(certainty):
    targets = torch.randint(3, (4, 6, 7), generator=torch.Generator().manual_seed(8))
    logits = (certainty * one_hot(targets, 3)).requires_grad_()
    loss = boundary(logits, signed_distance(one_hot(targets, 3)))
    assert loss.isfinite()
    assert torch.autograd.grad(loss, logits)[0].isfinite().all()


def test_modules_are_their_functions():
    arguments = fields(4, torch.Generator().manual_seed(9))
    assert repr(BoundaryLoss(reduction="sum")) == "BoundaryLoss(reduction='sum')"
    assert_close(BoundaryLoss(reduction="sum")(*arguments), boundary(*arguments, reduction="sum"))
    assert_close(BoundaryLoss()(*arguments), boundary(*arguments))


LOGITS, MASKS = torch.randn(4, 3, 4, 5), torch.ones(4, 3, 4, 5)
MISUSES = [
    (lambda: signed_distance(MASKS), r"masks must be bool, got torch.float32: convert 0/1 with \.bool\(\)"),
    (lambda: signed_distance(MASKS[:, 0, 0].bool()), r"masks must have shape \[N, C, ...\] with dimensions of space"),
    (lambda: signed_distance([[True]]), r"masks must be a tensor, got list"),
    (lambda: boundary(LOGITS, MASKS), r"distances are masks.*signed_distance"),
    (lambda: boundary(LOGITS, MASKS.bool()), r"distances must be floating point"),
    (lambda: boundary(LOGITS, -MASKS[:, 0]), r"logits and distances must have the same shape"),
    (lambda: boundary(LOGITS[:, :1], -MASKS[:, :1]), r"logits must have two classes or more.*background a logit 0"),
    (lambda: boundary(LOGITS.softmax(1), -MASKS), r"logits are probabilities.*before softmax"),
    (lambda: boundary(LOGITS, -MASKS, reduction="batchmean"), r"reduction must be .*got 'batchmean'"),
    (lambda: BoundaryLoss(reduction="avg"), r"reduction must be .*got 'avg'"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
