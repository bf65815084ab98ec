"""Binary hinge beside scikit-learn's metric and torchmetrics'."""

import pytest
import torch
from torch.testing import assert_close

from equipoise.losses.hinge import binary_hinge, binary_squared_hinge

LOGITS, TARGETS = 2 * torch.randn(50), torch.randint(2, (50,)).float()


def test_binary_hinge_beside_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    expected = metrics.hinge_loss(TARGETS.numpy(), LOGITS.numpy())
    assert_close(binary_hinge(LOGITS, TARGETS).item(), float(expected), rtol=1e-6, atol=0)


@pytest.mark.parametrize(("loss", "squared"), [(binary_hinge, False), (binary_squared_hinge, True)])
def test_binary_hinges_beside_torchmetrics(loss, squared):
    functional = pytest.importorskip("torchmetrics.functional.classification")
    # torchmetrics takes values outside [0, 1] for logits and squashes them first: give it what lies inside
    inside = LOGITS.sigmoid()
    assert_close(loss(inside, TARGETS), functional.binary_hinge_loss(inside, TARGETS.int(), squared=squared))
