"""Feature matching and mode seeking equal hand-derived values."""

import pytest
import torch
from laws import Case, laws_for
from torch.testing import assert_close

from equipoise.losses.generator_terms import feature_matching, mode_seeking


def features(n, generator):
    return tuple(torch.randn(2, n, 3, 2, generator=generator, dtype=torch.float64))


def pairs(n, generator):
    images = torch.randn(2, n, 3, 2, generator=generator, dtype=torch.float64)
    codes = torch.randn(2, n, 4, generator=generator, dtype=torch.float64)
    return (*images, *codes)


CASES = [
    Case("feature matching", feature_matching, features, learned=(1,), elementwise=False),
    Case("mode seeking", mode_seeking, pairs, learned=(0, 1)),
]
test_laws, test_compiles = laws_for(CASES)


def test_feature_matching_is_its_formula():
    """Of batches of different sizes."""
    real, fake = torch.randn(7, 3, 2), torch.randn(5, 3, 2)
    expected = (real.sum(dim=0) / 7 - fake.sum(dim=0) / 5).norm() ** 2
    assert_close(feature_matching(real, fake), expected)


def test_layers_count_alike():
    """Means (1, 2) and (0, 0), squared 5; means 3 and 0, squared 9; (5 + 9) / 2."""
    real = [torch.tensor([[0.0, 2.0], [2.0, 2.0]]), torch.tensor([[3.0], [3.0]])]
    fake = (torch.zeros(4, 2), torch.zeros(4, 1))
    assert_close(feature_matching(real, fake), torch.tensor(7.0))
    assert_close(feature_matching(real[:1], fake[:1]), feature_matching(real[0], fake[0]))


def test_equal_statistics_cost_nothing():
    """Whatever the order: it is the batches that are compared, not the samples."""
    real = torch.randn(6, 3, dtype=torch.float64)
    fake = real.flip(0).requires_grad_()
    loss = feature_matching(real, fake)
    assert_close(loss.item(), 0.0)
    assert_close(torch.autograd.grad(loss, fake)[0], torch.zeros_like(fake))


def test_real_features_are_constants():
    real, fake = torch.randn(2, 4, 3).unbind()
    loss = feature_matching(real.requires_grad_(), fake.requires_grad_())
    assert torch.autograd.grad(loss, real, allow_unused=True, retain_graph=True) == (None,)
    assert torch.autograd.grad(loss, fake)[0].abs().sum() > 0


def test_mode_seeking_is_minus_the_ratio():
    """d(images) = (1 + 3) / 2 and d(codes) = 0.5, so -4; then (0 + 1) / 2 and 2, so -0.25."""
    first = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    second = torch.tensor([[1.0, -3.0], [1.0, 2.0]])
    codes, others = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.5], [-1.0]])
    assert_close(mode_seeking(first, second, codes, others, reduction="none"), torch.tensor([-4.0, -0.25]))
    assert_close(mode_seeking(3 * first, 3 * second, codes, others), 3 * mode_seeking(first, second, codes, others))
    assert_close(mode_seeking(first, second, 2 * codes, 2 * others), mode_seeking(first, second, codes, others) / 2)
    assert_close(mode_seeking(second, first, others, codes), mode_seeking(first, second, codes, others))


def test_equal_codes_do_not_count():
    images, codes = torch.randn(3, 2, requires_grad=True), torch.randn(3, 4, requires_grad=True)
    loss = mode_seeking(images, images.detach() + 1, codes, codes.detach())
    assert loss == 0
    for slope in torch.autograd.grad(loss, (images, codes)):
        assert_close(slope, torch.zeros_like(slope))


def test_equal_images_have_a_finite_gradient():
    images = torch.randn(3, 2, requires_grad=True)
    loss = mode_seeking(images, images.detach(), torch.zeros(3, 4), torch.ones(3, 4))
    assert loss == 0
    assert torch.autograd.grad(loss, images)[0].isfinite().all()


F, G = torch.randn(4, 3), torch.randn(4, 5)
MISUSES = [
    (lambda: feature_matching(F, G), r"real_features and fake_features must have the same shape after the batch"),
    (lambda: feature_matching(F[:, 0], F[:, 0]), r"real_features must have shape \[N, ...\], a batch of features"),
    (lambda: feature_matching(F.long(), F), r"real_features must be floating point.*\.float\(\)"),
    (lambda: feature_matching([F], F), r"two tensors or two sequences, got one of each"),
    (lambda: feature_matching([F, G], [F]), r"as many layers, one at least, got 2 and 1"),
    (lambda: feature_matching([], []), r"as many layers, one at least, got 0 and 0"),
    (lambda: mode_seeking(F, G, F, F), r"first_images and second_images must have the same shape"),
    (lambda: mode_seeking(F, F, F, G), r"first_codes and second_codes must have the same shape"),
    (lambda: mode_seeking(F, F, F[:2], F[:2]), r"images and codes must have the same batch, got 4 images and 2 codes"),
    (lambda: mode_seeking(F, F, F[:, 0], F[:, 0]), r"first_codes must have shape \[N, ...\]"),
    (lambda: mode_seeking(F, F, F, F, reduction="avg"), r"reduction must be .*got 'avg'"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
