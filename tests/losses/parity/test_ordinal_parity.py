"""Ordinal losses beside those of coral-pytorch."""

import pytest
import torch
from torch.testing import assert_close

from equipoise.losses.ordinal import coral, coral_levels, corn, corn_levels

dataset = pytest.importorskip("coral_pytorch.dataset")
losses = pytest.importorskip("coral_pytorch.losses")


def levels(n, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(n, 6, generator=generator, dtype=torch.float64)
    return logits.requires_grad_(), torch.randint(7, (n,), generator=generator)


def assert_same(one, other, logits):
    assert_close(one, other)
    assert_close(torch.autograd.grad(one, logits)[0], torch.autograd.grad(other, logits)[0])


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_coral_beside_coral_pytorch(reduction):
    logits, targets = levels(50, seed=0)
    extended = dataset.levels_from_labelbatch(targets, num_classes=7, dtype=torch.float64)
    assert_same(
        coral(logits, targets, reduction=reduction), losses.coral_loss(logits, extended, None, reduction), logits
    )


@pytest.mark.parametrize("n", [1, 3, 50])
def test_corn_beside_coral_pytorch(n):
    logits, targets = levels(n, seed=1)
    assert_same(corn(logits, targets), losses.corn_loss(logits, targets, num_classes=7), logits)


def test_levels_beside_coral_pytorch():
    logits, _ = levels(500, seed=2)
    logits = logits.detach() + 1
    assert torch.equal(coral_levels(logits), dataset.proba_to_label(logits.sigmoid()))
    assert torch.equal(corn_levels(logits), dataset.corn_label_from_logits(logits))
