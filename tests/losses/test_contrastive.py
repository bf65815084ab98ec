"""Supervised contrastive loss equals Khosla et al. (2) in loops."""

import math

import pytest
import torch
from laws import Case, laws_for
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

from equipoise.losses.contrastive import SupervisedContrastiveLoss, supervised_contrastive


def labelled(n, generator):
    return 2 * torch.randn(n, 4, generator=generator, dtype=torch.float64), torch.arange(n) % 2


CASES = [
    Case("supervised contrastive", supervised_contrastive, labelled),
    Case("supervised contrastive, warm", supervised_contrastive, labelled, keywords={"temperature": 1.0}),
]
test_laws, test_compiles = laws_for(CASES)


@pytest.mark.parametrize("temperature", [0.05, 0.1, 1.0])
def test_is_equation_2(temperature):
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(11, 4, generator=generator, dtype=torch.float64)
    labels = torch.randint(4, (11,), generator=generator)
    labels[3] = 9  # without a positive
    z = F.normalize(features)
    expected = torch.zeros(11, dtype=torch.float64)
    for i in range(11):
        others = [a for a in range(11) if a != i]
        positives = [p for p in others if labels[p] == labels[i]]
        total = sum((z[i] @ z[a] / temperature).exp() for a in others)
        for p in positives:
            expected[i] -= ((z[i] @ z[p] / temperature).exp() / total).log() / len(positives)
    actual = supervised_contrastive(features, labels, temperature=temperature, reduction="none")
    assert_close(actual, expected)
    assert actual[3] == 0
    assert_close(supervised_contrastive(features, labels, temperature=temperature, reduction="sum"), expected.sum())
    counting = sum((labels == label).sum() > 1 for label in labels)
    assert_close(supervised_contrastive(features, labels, temperature=temperature), expected.sum() / counting)


def test_with_labels_of_views_it_is_simclr():
    """One positive each: cross-entropy of finding the other view among the 2N - 1 others."""
    first, second = torch.randn(2, 5, 3, dtype=torch.float64)
    views = torch.cat([first, second])
    z = F.normalize(views)
    logits = (z @ z.T / 0.1).masked_fill(torch.eye(10, dtype=torch.bool), -torch.inf)
    expected = F.cross_entropy(logits, torch.arange(10).roll(5))
    assert_close(supervised_contrastive(views, torch.arange(5).repeat(2)), expected)


def test_limits():
    """All alike: log(N - 1), as by chance. Classes at opposite ends, cold: the log of the number of positives."""
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    assert_close(supervised_contrastive(torch.ones(6, 2), labels).item(), math.log(5))
    ends = torch.tensor([[1.0, 0.0]] * 3 + [[-1.0, 0.0]] * 3, dtype=torch.float64)
    assert_close(supervised_contrastive(ends, labels, temperature=0.01).item(), math.log(2))


@pytest.mark.parametrize("labels", [[0], [0, 1, 2]], ids=["one sample", "all alone"])
def test_without_positives_it_is_0_with_a_graph(labels):
    features = torch.randn(len(labels), 3, requires_grad=True)
    loss = supervised_contrastive(features, torch.tensor(labels))
    assert loss == 0
    assert torch.equal(torch.autograd.grad(loss, features)[0], torch.zeros(len(labels), 3))


def test_a_zero_feature_has_a_finite_gradient():
    features = torch.zeros(4, 3, requires_grad=True)
    loss = supervised_contrastive(features, torch.tensor([0, 0, 1, 1]))
    assert_close(loss.item(), math.log(3))
    assert torch.autograd.grad(loss, features)[0].isfinite().all()


def test_lengths_of_features_do_not_count():
    features, labels = labelled(8, torch.Generator().manual_seed(2))
    lengths = torch.logspace(-3, 3, 8, dtype=torch.float64)[:, None]
    assert_close(supervised_contrastive(features * lengths, labels), supervised_contrastive(features, labels))


def test_module_is_its_function():
    features, labels = labelled(9, torch.Generator().manual_seed(3))
    module = SupervisedContrastiveLoss(temperature=0.3, reduction="sum")
    assert_close(module(features, labels), supervised_contrastive(features, labels, temperature=0.3, reduction="sum"))
    assert repr(module) == "SupervisedContrastiveLoss(temperature=0.3, reduction='sum')"


FEATURES, LABELS = torch.randn(4, 3), torch.tensor([0, 0, 1, 1])
MISUSES = [
    (lambda: supervised_contrastive(FEATURES, LABELS[:3]), r"labels must have shape \[N\] = \(4,\) .*got \(3,\)"),
    (lambda: supervised_contrastive(FEATURES, LABELS[:, None]), r"labels must have shape.*squeeze\(-1\) the labels"),
    (lambda: supervised_contrastive(FEATURES, LABELS.float()), r"labels must be of an integer dtype.*\.long"),
    (lambda: supervised_contrastive(FEATURES[None], LABELS), r"features must have shape \[N, D\], got \(1, 4, 3\)"),
    (lambda: supervised_contrastive(LABELS, LABELS), r"features must be floating point"),
    (lambda: supervised_contrastive(FEATURES, LABELS, temperature=0.0), r"temperature must lie in \(0, inf\), got 0.0"),
    (lambda: supervised_contrastive(FEATURES, LABELS, reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: SupervisedContrastiveLoss(temperature=-1.0), r"temperature must lie in \(0, inf\), got -1.0"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
