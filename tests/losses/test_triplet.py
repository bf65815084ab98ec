"""Triplet losses equal loops over all triplets."""

import itertools

import pytest
import torch
from laws import Case, laws_for
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

from equipoise.losses.triplet import TripletLoss, triplet

MININGS = ["hard", "semi-hard", "all"]


def labelled(n, generator):
    features = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    return features, torch.arange(n) % 2


CASES = [
    Case(f"triplet, {mining}", triplet, labelled, keywords={"mining": mining, "margin": 0.7}, elementwise=False)
    for mining in MININGS
]
test_laws, test_compiles = laws_for(CASES)


def all_triplets(features, labels):
    """Distances (to the positive, to the negative) of every triplet, by anchor and positive."""
    found = {}
    for a, p, n in itertools.permutations(range(len(labels)), 3):
        if labels[a] == labels[p] != labels[n]:
            ds = ((features[a] - features[p]).norm(), (features[a] - features[n]).norm())
            found.setdefault((a, p), []).append(ds)
    return found


def by_loops(features, labels, margin, mining):
    found = all_triplets(features, labels)
    losses = []
    if mining == "all":
        losses = [d_p - d_n + margin for ds in found.values() for d_p, d_n in ds]
        losses = [loss for loss in losses if loss > 0]
    if mining == "semi-hard":
        for ds in found.values():
            within = [d_n for d_p, d_n in ds if d_p < d_n < d_p + margin]
            losses += [ds[0][0] - min(within) + margin] if within else []
    if mining == "hard":
        for anchor in {a for a, _ in found}:
            of_anchor = [d for (a, _), ds in found.items() if a == anchor for d in ds]
            hardest = max(d_p for d_p, _ in of_anchor) - min(d_n for _, d_n in of_anchor)
            losses.append((hardest + margin).clamp(min=0))
    return torch.stack(losses).mean() if losses else torch.zeros((), dtype=features.dtype)


@pytest.mark.parametrize("mining", MININGS)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("margin", [0.1, 1.0, 5.0])
def test_is_its_loops(mining, seed, margin):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(12, 3, generator=generator, dtype=torch.float64)
    labels = torch.randint(5, (12,), generator=generator)
    labels[0] = 9  # alone in its class
    assert_close(triplet(features, labels, margin=margin, mining=mining), by_loops(features, labels, margin, mining))


@pytest.mark.parametrize(
    ("mining", "expected"),
    [
        # on a line: a at 0 and b at 1 of one class, n at 3 of another; d(a, n) = 3, d(b, n) = 2
        ("hard", (0.5 + 1.5) / 2),  # 1 - 3 + 2.5 and 1 - 2 + 2.5; n itself has no positive
        ("semi-hard", (0.5 + 1.5) / 2),
        ("all", (0.5 + 1.5) / 2),
    ],
)
def test_by_hand(mining, expected):
    features = torch.tensor([[0.0], [1.0], [3.0]])
    assert_close(triplet(features, torch.tensor([4, 4, 7]), margin=2.5, mining=mining).item(), expected)


def test_what_each_mining_leaves_out():
    """a at 0, b at 2; negatives at -1 (nearer than b: hard) and at 2.5 (semi-hard for a), margin 1."""
    features, labels = torch.tensor([[0.0], [2.0], [-1.0], [2.5]]), torch.tensor([0, 0, 1, 2])
    # a: 2 - 1 + 1 = 2; b: nearest is 0.5 away, 2 - 0.5 + 1 = 2.5
    assert_close(triplet(features, labels, margin=1.0, mining="hard").item(), 2.25)
    # a: the nearest beyond 2 is 2.5, 2 - 2.5 + 1; b: the nearest beyond 2 is 3, which is at the margin and not within
    assert_close(triplet(features, labels, margin=1.0, mining="semi-hard").item(), 0.5)
    # a: 2 and 0.5; b: 2.5, and 2 - 3 + 1 = 0, which does not count
    assert_close(triplet(features, labels, margin=1.0, mining="all").item(), 5 / 3)


def test_a_negative_as_far_as_the_positive_is_not_beyond_it():
    """a at 0, b at 1, negatives at -1 and -1.5, margin 1: for a the latter, 1 - 1.5 + 1; for b that at 2 is too far."""
    features, labels = torch.tensor([[0.0], [1.0], [-1.0], [-1.5]]), torch.tensor([0, 0, 1, 2])
    assert_close(triplet(features, labels, margin=1.0, mining="semi-hard").item(), 0.5)


@pytest.mark.parametrize("mining", MININGS)
def test_nan_is_not_hidden(mining):
    features = torch.randn(6, 3)
    features[2, 1] = torch.nan
    assert triplet(features, torch.arange(6) % 2, mining=mining).isnan()


@pytest.mark.parametrize("mining", MININGS)
@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 1, 2, 3]], ids=["one class", "all alone"])
def test_without_triplets_it_is_0_with_a_graph(mining, labels):
    features = torch.randn(4, 3, requires_grad=True)
    loss = triplet(features, torch.tensor(labels), mining=mining)
    assert loss == 0
    assert torch.equal(torch.autograd.grad(loss, features)[0], torch.zeros(4, 3))


@pytest.mark.parametrize("mining", MININGS)
@pytest.mark.parametrize("n", [4, 40])
def test_equal_features_have_a_finite_gradient(mining, n):
    """All distances 0: hard and all give the margin."""
    features = torch.full((n, 3), 7.0, requires_grad=True)
    loss = triplet(features, torch.arange(n) % 2, mining=mining)
    assert_close(loss.item(), 0.0 if mining == "semi-hard" else 0.2)  # none lies beyond its positive
    assert torch.equal(torch.autograd.grad(loss, features)[0], torch.zeros(n, 3))


@pytest.mark.parametrize("mining", MININGS)
def test_far_from_the_origin_digits_are_kept(mining):
    """A shift common to all changes no distance, nor a gradient: 100 samples, where torch.cdist takes products."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(10, (100,), generator=generator)
    near = torch.randn(100, 8, generator=generator)
    exact = near.double().requires_grad_()
    far = (near + 1000).requires_grad_()
    shift = (far.detach() - 1000).double()
    expected = triplet(exact, labels, mining=mining)
    actual = triplet(far, labels, mining=mining)
    moved = shift.requires_grad_()
    assert_close(actual.double(), triplet(moved, labels, mining=mining), rtol=1e-4, atol=1e-5)
    assert_close(actual.double(), expected, rtol=1e-2, atol=1e-3)
    slopes = torch.autograd.grad(triplet(moved, labels, mining=mining), moved)[0]
    assert_close(torch.autograd.grad(actual, far)[0].double(), slopes, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("mining", MININGS)
def test_what_is_apart_costs_nothing(mining):
    """Classes 10 apart, within them 0.1."""
    features = torch.tensor([[0.0], [0.1], [10.0], [10.1]], requires_grad=True)
    loss = triplet(features, torch.tensor([0, 0, 1, 1]), mining=mining)
    assert loss == 0
    assert torch.autograd.grad(loss, features)[0].abs().max() == 0


def test_module_is_its_function():
    features, labels = labelled(9, torch.Generator().manual_seed(4))
    module = TripletLoss(margin=0.4, mining="all")
    assert_close(module(features, labels), triplet(features, labels, margin=0.4, mining="all"))
    assert repr(module) == "TripletLoss(margin=0.4, mining='all')"


def test_memory_is_of_pairs_not_of_triplets():
    """Of 1000 samples there are 10^9 places for triplets: 4 GB in float32."""
    features, labels = F.normalize(torch.randn(1000, 4)), torch.arange(1000) % 250
    assert triplet(features, labels, mining="all").isfinite()


FEATURES, LABELS = torch.randn(4, 3), torch.tensor([0, 0, 1, 1])
MISUSES = [
    (lambda: triplet(FEATURES, LABELS[:3]), r"labels must have shape \[N\] = \(4,\) .*got \(3,\)"),
    (lambda: triplet(FEATURES, LABELS[:, None]), r"labels must have shape.*got \(4, 1\): squeeze\(-1\) the labels"),
    (lambda: triplet(FEATURES, LABELS.float()), r"labels must be of an integer dtype, got torch.float32.*\.long"),
    (lambda: triplet(FEATURES, LABELS.bool()), r"labels must be of an integer dtype, got torch.bool"),
    (lambda: triplet(LABELS, FEATURES), r"features must be floating point"),
    (lambda: triplet(FEATURES[0], LABELS), r"features must have shape \[N, D\], got \(3,\)"),
    (lambda: triplet(FEATURES, LABELS, margin=-0.1), r"margin must lie in \[0, inf\), got -0.1"),
    (lambda: triplet(FEATURES, LABELS, mining="easy"), r"mining must be 'hard', 'semi-hard' or 'all', got 'easy'"),
    (lambda: TripletLoss(mining="semihard"), r"mining must be 'hard', 'semi-hard' or 'all', got 'semihard'"),
    (lambda: TripletLoss(margin=-1.0), r"margin must lie in \[0, inf\), got -1.0"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
