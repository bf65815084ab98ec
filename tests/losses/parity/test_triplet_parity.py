"""Triplet losses beside pytorch-metric-learning's miners and loss."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

from equipoise.losses.triplet import triplet

pml = pytest.importorskip("pytorch_metric_learning.losses")
distances = pytest.importorskip("pytorch_metric_learning.distances")
miners = pytest.importorskip("pytorch_metric_learning.miners")
reducers = pytest.importorskip("pytorch_metric_learning.reducers")

EUCLIDEAN = distances.LpDistance(normalize_embeddings=False)
MARGIN = 0.3


def batch():
    features = F.normalize(torch.randn(20, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    return features.requires_grad_(), torch.arange(20) % 5


def test_all_beside_the_mean_of_nonzero_ones():
    features, labels = batch()
    expected = pml.TripletMarginLoss(MARGIN, distance=EUCLIDEAN)(features, labels)
    actual = triplet(features, labels, margin=MARGIN, mining="all")
    assert_close(actual, expected)
    assert_close(torch.autograd.grad(actual, features), torch.autograd.grad(expected, features))


def test_hard_beside_the_batch_hard_miner():
    features, labels = batch()
    mined = miners.BatchHardMiner(distance=EUCLIDEAN)(features, labels)
    loss = pml.TripletMarginLoss(MARGIN, distance=EUCLIDEAN, reducer=reducers.MeanReducer())
    expected = loss(features, labels, mined)
    actual = triplet(features, labels, margin=MARGIN, mining="hard")
    assert_close(actual, expected)
    assert_close(torch.autograd.grad(actual, features), torch.autograd.grad(expected, features))


def test_semi_hard_beside_the_nearest_of_the_mined():
    """The miner gives all semi-hard negatives of a pair; FaceNet takes one, the hardest here."""
    features, labels = batch()
    miner = miners.TripletMarginMiner(MARGIN, distance=EUCLIDEAN, type_of_triplets="semihard")
    anchor, positive, negative = miner(features, labels)
    losses = (features[anchor] - features[positive]).norm(dim=1) - (features[anchor] - features[negative]).norm(dim=1)
    hardest = {}
    for a, p, loss in zip(anchor.tolist(), positive.tolist(), losses + MARGIN, strict=True):
        hardest[a, p] = max(hardest.get((a, p), loss), loss)
    expected = torch.stack(list(hardest.values())).mean()
    assert_close(triplet(features, labels, margin=MARGIN, mining="semi-hard"), expected)
