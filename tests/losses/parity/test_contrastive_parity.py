"""Supervised contrastive loss beside pytorch-metric-learning."""

import pytest
import torch
from torch.testing import assert_close

from equipoise.losses.contrastive import supervised_contrastive

pml = pytest.importorskip("pytorch_metric_learning.losses")


def test_supervised_contrastive_beside_theirs():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(20, 6, generator=generator, dtype=torch.float64).requires_grad_()
    labels = torch.randint(5, (20,), generator=generator)
    labels[0] = 9  # without a positive
    expected = pml.SupConLoss(temperature=0.1)(features, labels)
    actual = supervised_contrastive(features, labels)
    assert_close(actual, expected)
    assert_close(torch.autograd.grad(actual, features), torch.autograd.grad(expected, features))


def test_with_views_it_is_nt_xent():
    views = torch.randn(20, 6, dtype=torch.float64)
    labels = torch.arange(10).repeat(2)
    assert_close(supervised_contrastive(views, labels, temperature=0.3), pml.NTXentLoss(0.3)(views, labels))
