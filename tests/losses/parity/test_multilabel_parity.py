"""Soft F1 beside scikit-learn's F1, of certain predictions, and beside MONAI's Dice."""

import pytest
import torch
from torch.testing import assert_close

from equipoise.losses.multilabel import double_soft_f1, soft_f1

metrics = pytest.importorskip("sklearn.metrics")


def certain(seed):
    """Logits so large that the probabilities are 0 or 1; a label without positives, one without predictions, one
    without either; a sample likewise."""
    generator = torch.Generator().manual_seed(seed)
    predicted = torch.rand(40, 8, generator=generator) < 0.4
    targets = torch.rand(40, 8, generator=generator) < 0.3
    targets[:, 0], predicted[:, 1] = False, False
    targets[:, 2], predicted[:, 2] = False, False
    targets[5], predicted[5] = False, False
    targets[6] = False
    return 2000.0 * predicted - 1000, targets.float()


@pytest.mark.parametrize("average", ["macro", "micro", "samples"])
@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(5))
def test_soft_f1_of_certain_predictions_is_scikit_learns(average, beta, seed):
    logits, targets = certain(seed)
    expected = metrics.fbeta_score(targets, logits > 0, beta=beta, average=average, zero_division=0)
    assert_close(1 - soft_f1(logits, targets, beta=beta, average=average).item(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_double_soft_f1_of_certain_predictions_is_scikit_learns(seed):
    logits, targets = certain(seed)
    expected = [
        metrics.f1_score(*of, average="macro", zero_division=0)
        for of in ((targets, logits > 0), (1 - targets, logits < 0))
    ]
    assert_close(1 - double_soft_f1(logits, targets).item(), sum(expected) / 2, rtol=1e-6, atol=1e-6)


def test_soft_f1_of_masked_labels_is_scikit_learns_weighting():
    """scikit-learn leaves out masked targets by a weight of 0, label by label."""
    logits, targets = certain(0)
    mask = torch.rand(40, 8, generator=torch.Generator().manual_seed(1)) < 0.5
    scores = [
        metrics.f1_score(targets[:, k], logits[:, k] > 0, sample_weight=mask[:, k], zero_division=0) for k in range(8)
    ]
    assert_close(1 - soft_f1(logits, targets, mask=mask).item(), sum(scores) / 8, rtol=1e-6, atol=1e-6)


def test_macro_soft_f1_is_monais_dice_over_the_batch():
    losses = pytest.importorskip("monai.losses")
    logits, targets = torch.randn(30, 5, 1), torch.randint(2, (30, 5, 1)).float()
    dice = losses.DiceLoss(sigmoid=True, batch=True, smooth_nr=0.0, smooth_dr=0.0)
    assert_close(soft_f1(logits[..., 0], targets[..., 0]), dice(logits, targets))
    tversky = losses.TverskyLoss(sigmoid=True, batch=True, alpha=0.2, beta=0.8, smooth_nr=0.0, smooth_dr=0.0)
    assert_close(soft_f1(logits[..., 0], targets[..., 0], beta=2.0), tversky(logits, targets))
