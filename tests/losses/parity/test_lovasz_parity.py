"""Lovász losses beside those of kornia, and scikit-learn's Jaccard score in the hard limit."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

from equipoise.losses.lovasz import lovasz_hinge, lovasz_softmax

kornia = pytest.importorskip("kornia.losses")
metrics = pytest.importorskip("sklearn.metrics")

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = 2 * torch.randn(3, 4, 9, 8, generator=GENERATOR, dtype=torch.float64)
TARGETS = torch.randint(4, (3, 9, 8), generator=GENERATOR)  # every class in every image: kornia counts all


def test_beside_kornia():
    logits = LOGITS.clone().requires_grad_()
    ours, theirs = lovasz_softmax(logits, TARGETS, per_sample=True), kornia.lovasz_softmax_loss(logits, TARGETS)
    assert_close(ours, theirs)
    assert_close(torch.autograd.grad(ours, logits), torch.autograd.grad(theirs, logits))
    masks = (TARGETS > 1).double()
    masks[1] = 0
    ours = lovasz_hinge(logits[:, :1], masks[:, None], per_sample=True)
    theirs = kornia.lovasz_hinge_loss(logits[:, :1], masks)
    assert_close(ours, theirs)
    assert_close(torch.autograd.grad(ours, logits), torch.autograd.grad(theirs, logits))


def test_one_image_is_the_batch_beside_kornia():
    """Pixels of a batch in one row."""
    row = LOGITS.movedim(1, 0).flatten(1)[None, :, None], TARGETS.flatten()[None, None]
    assert_close(lovasz_softmax(LOGITS, TARGETS), kornia.lovasz_softmax_loss(*row))


def test_the_hard_limit_beside_scikit_learn():
    decisions = LOGITS.argmax(dim=1)
    certain = 1e3 * F.one_hot(decisions, 4).movedim(-1, 1).double()
    expected = 1 - metrics.jaccard_score(TARGETS.flatten(), decisions.flatten(), average="macro")
    assert_close(lovasz_softmax(certain, TARGETS).item(), expected)
