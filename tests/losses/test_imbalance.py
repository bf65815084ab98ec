"""The losses for rare classes equal their formulas, and cross-entropy where all classes are alike."""

import pytest
import torch
from laws import Case, laws_for
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from equipoise.losses.imbalance import (
    LDAMLoss,
    LogitAdjustedLoss,
    effective_number_weights,
    ldam,
    logit_adjusted,
    positive_weights,
)

COUNTS = torch.tensor([1000, 300, 50, 8, 2])
WEIGHT = torch.tensor([1.0, 2.0, 0.5, 3.0, 1.0])


def classes(n, generator):
    logits = torch.randn(n, 5, 3, generator=generator, dtype=torch.float64)
    return logits, torch.randint(5, (n, 3), generator=generator)


CASES = [
    Case("logit adjusted", logit_adjusted, classes, keywords={"class_counts": COUNTS}),
    Case("LDAM", ldam, classes, keywords={"class_counts": COUNTS, "scale": 5.0}),
    Case("LDAM, weights", ldam, classes, keywords={"class_counts": COUNTS, "weight": WEIGHT}, elementwise=False),
]
test_laws, test_compiles = laws_for(CASES)

LOSSES = [logit_adjusted, ldam]


class WithoutFloat64(TorchDispatchMode):
    """As the GPU of a Mac."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        assert getattr(found, "dtype", None) != torch.float64, function
        return found


@pytest.mark.parametrize("beta", [0.0, 0.998, 1 - 1e-9, 1.0])
def test_logit_adjustment_of_float32_makes_no_float64_and_loses_no_digits(beta):
    logits, targets = torch.randn(4, 5), torch.tensor([0, 1, 4, 4])
    expected = logit_adjusted(logits.double(), targets, class_counts=COUNTS, beta=beta)
    with WithoutFloat64():
        found = logit_adjusted(logits, targets, class_counts=COUNTS, beta=beta)
    assert_close(found.double(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("beta", [0.5, 0.99, 1.0])
def test_logit_adjustment_is_its_formula(tau, beta):
    """-log( prior_t^tau e^z_t / sum_k prior_k^tau e^z_k ), prior ∝ 1 + beta + beta^2 + ... + beta^(count - 1)."""
    logits, targets = classes(30, torch.Generator().manual_seed(1))
    numbers = torch.tensor([sum(beta**power for power in range(n)) for n in COUNTS.tolist()], dtype=torch.float64)
    masses = (numbers / numbers.sum()).pow(tau).view(5, 1) * logits.exp()
    expected = -(masses.gather(1, targets.unsqueeze(1)).squeeze(1) / masses.sum(dim=1)).log()
    assert_close(logit_adjusted(logits, targets, class_counts=COUNTS, tau=tau, beta=beta, reduction="none"), expected)


def test_logit_adjustment_has_its_minimum_where_all_classes_are_as_likely():
    """A model that knows nothing but that the classes differ: logits of 0 fit the training set best, so that at test
    time no class is preferred; plain cross-entropy would have the log priors there."""
    targets = torch.repeat_interleave(torch.arange(3), torch.tensor([7, 2, 1]))
    logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    loss = logit_adjusted(logits.expand(10, 3), targets, class_counts=torch.tensor([7, 2, 1]))
    (slope,) = torch.autograd.grad(loss, logits)
    assert_close(slope, torch.zeros(3, dtype=torch.float64))


def test_ldam_is_its_formula():
    """-log e^{s(z_t - m_t)} / (e^{s(z_t - m_t)} + sum_{k != t} e^{s z_k}), m_j = C / n_j^(1/4), max_j m_j = 0.4."""
    logits, targets = classes(30, torch.Generator().manual_seed(2))
    margins = COUNTS.double() ** -0.25
    margins = 0.4 * margins / margins.max()
    own = F.one_hot(targets, 5).movedim(-1, 1).bool()
    masses = (3.0 * (logits - own * margins.view(5, 1))).exp()
    expected = -(masses.gather(1, targets.unsqueeze(1)).squeeze(1) / masses.sum(dim=1)).log()
    loss = ldam(logits, targets, class_counts=COUNTS, max_margin=0.4, scale=3.0, reduction="none")
    assert_close(loss, expected)


def test_ldam_gives_the_rarest_class_the_widest_margin():
    """For counts as 1, 16, 81, 256 the margins are 1/2, 1/4, 1/6, 1/8; a logit ahead by just that costs log 2."""
    margins = torch.tensor([1 / 2, 1 / 4, 1 / 6, 1 / 8], dtype=torch.float64)
    for target, margin in enumerate(margins):
        logits = torch.full((1, 4), -1e4, dtype=torch.float64)
        logits[0, target], logits[0, target - 1] = margin, 0.0
        loss = ldam(logits, torch.tensor([target]), class_counts=3 * torch.tensor([1, 16, 81, 256]))
        assert_close(loss, torch.tensor(2.0, dtype=torch.float64).log())


def test_where_nothing_is_rare_they_are_cross_entropy():
    logits, targets = classes(20, torch.Generator().manual_seed(3))
    targets[0] = -100
    for reduction in ("none", "mean", "sum"):
        plain = F.cross_entropy(logits, targets, reduction=reduction)
        weighted = F.cross_entropy(logits, targets, weight=WEIGHT.double(), reduction=reduction)
        even = torch.full((5,), 7)
        assert_close(logit_adjusted(logits, targets, class_counts=even, reduction=reduction), plain)
        for none in ({"tau": 0.0}, {"beta": 0.0}):
            assert_close(logit_adjusted(logits, targets, class_counts=COUNTS, **none, reduction=reduction), plain)
        without = {"class_counts": COUNTS, "max_margin": 0.0, "scale": 1.0, "reduction": reduction}
        assert_close(ldam(logits, targets, **without), plain)
        assert_close(ldam(logits, targets, weight=WEIGHT.double(), **without), weighted)


@pytest.mark.parametrize("loss", LOSSES)
def test_what_is_ignored_is_as_if_removed(loss):
    logits, targets = classes(20, torch.Generator().manual_seed(4))
    ignored = targets.clone()
    ignored[:7] = -100
    assert_close(loss(logits, ignored, class_counts=COUNTS), loss(logits[7:], targets[7:], class_counts=COUNTS))
    logits.requires_grad_()
    nothing = loss(logits, torch.full_like(targets, -100), class_counts=COUNTS)
    assert nothing == 0
    assert not torch.autograd.grad(nothing, logits)[0].any()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_certainty_has_a_finite_gradient(loss, sign):
    logits = torch.tensor([[0.0, 3e4 * sign]], requires_grad=True)
    value = loss(logits, torch.tensor([1]), class_counts=torch.tensor([10**9, 1]))
    (slope,) = torch.autograd.grad(value, logits)
    assert value.isfinite()
    assert slope.isfinite().all()
    assert (value == 0) == (sign > 0)


def test_effective_numbers_by_hand():
    # beta = 1/2: E = (1 - 2^-n) / (1/2) = 1, 3/2, 7/4 for n = 1, 2, 3; inverses 1, 2/3, 4/7 sum to 47/21
    weights = effective_number_weights(torch.tensor([1, 2, 3]), beta=0.5)
    assert_close(weights, 3 * 21 / 47 * torch.tensor([1.0, 2 / 3, 4 / 7]))


def test_effective_numbers_lie_between_even_weights_and_inverse_counts():
    assert_close(effective_number_weights(COUNTS, beta=0.0), torch.ones(5))
    inverse = 1 / COUNTS
    assert_close(effective_number_weights(COUNTS, beta=1 - 1e-12), 5 * inverse / inverse.sum(), rtol=1e-3, atol=0)
    assert_close(effective_number_weights(COUNTS, beta=0.99).sum(), torch.tensor(5.0))
    assert (effective_number_weights(COUNTS).diff() > 0).all()


def test_an_effective_number_is_how_much_n_samples_cover():
    """E_n = 1 + beta E_{n-1}: a new sample is new by its chance of falling outside what is covered."""
    covered = [1.0]
    for _ in range(19):
        covered.append(1 + 0.9 * covered[-1])
    inverse = 1 / torch.tensor(covered)
    assert_close(effective_number_weights(torch.arange(1, 21), beta=0.9), 20 * inverse / inverse.sum())


def test_positive_weights_make_both_labels_weigh_the_same():
    counts = torch.tensor([1, 20, 100])
    weights = positive_weights(counts, num_samples=100)
    assert_close(weights * counts, torch.tensor([99.0, 80.0, 0.0]))
    targets = (torch.arange(100).unsqueeze(1) < counts[:2]).float()
    logits = torch.zeros(100, 2, requires_grad=True)
    loss = nn.BCEWithLogitsLoss(pos_weight=weights[:2])(logits, targets)
    (slope,) = torch.autograd.grad(loss, logits)
    assert_close(slope.sum(dim=0), torch.zeros(2))


def test_modules_are_their_functions():
    logits, targets = classes(9, torch.Generator().manual_seed(5))
    keywords = {"class_counts": COUNTS, "tau": 0.5, "beta": 0.9, "ignore_index": 2, "reduction": "sum"}
    assert_close(LogitAdjustedLoss(**keywords)(logits, targets), logit_adjusted(logits, targets, **keywords))
    keywords = {"class_counts": COUNTS, "max_margin": 0.2, "scale": 4.0, "weight": WEIGHT, "ignore_index": 2}
    module = LDAMLoss(**keywords)
    assert_close(module(logits, targets), ldam(logits, targets, **keywords))
    assert set(module.state_dict()) == {"class_counts", "weight"}
    assert repr(module) == "LDAMLoss(max_margin=0.2, scale=4.0, ignore_index=2, reduction='mean')"
    assert module.half().class_counts.dtype == torch.int64  # counts keep their digits


LOGITS, LABELS, THREE = torch.randn(4, 3), torch.tensor([0, 1, 2, 0]), torch.tensor([5, 3, 1])
MISUSES = [
    (
        lambda: logit_adjusted(LOGITS, LABELS, class_counts=THREE[:2]),
        r"class_counts must have shape.*\(2,\): torch.bin",
    ),
    (lambda: logit_adjusted(LOGITS, LABELS, class_counts=THREE / 9), r"class_counts must be of an integer.*\.long"),
    (
        lambda: logit_adjusted(LOGITS, LABELS, class_counts=THREE - 1),
        r"class_counts must be at least 1, got 0 at 2: lea",
    ),
    (lambda: logit_adjusted(LOGITS, LABELS, class_counts=THREE, tau=-1.0), r"tau must lie in \[0, inf\), got -1.0"),
    (lambda: LogitAdjustedLoss(THREE, beta=1.5), r"beta must lie in \[0, 1\], got 1.5"),
    (lambda: logit_adjusted(LOGITS.softmax(1), LABELS, class_counts=THREE), r"logits are probabilities.*before"),
    (lambda: logit_adjusted(LOGITS, LABELS + 1, class_counts=THREE), r"targets must be classes 0 to 2, got 3"),
    (lambda: ldam(LOGITS, LABELS.float(), class_counts=THREE), r"targets must be class indices.*\.long"),
    (lambda: ldam(LOGITS, LABELS, class_counts=THREE, scale=0.0), r"scale must lie in \(0, inf\), got 0.0"),
    (lambda: ldam(LOGITS, LABELS, class_counts=THREE, max_margin=-1.0), r"max_margin must lie in \[0, inf\), got -1"),
    (
        lambda: ldam(LOGITS, LABELS, class_counts=THREE, weight=WEIGHT),
        r"weight must have shape \[C\] = \(3,\), got \(5",
    ),
    (lambda: ldam(LOGITS, LABELS, class_counts=THREE, reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: LogitAdjustedLoss([5, 3, 1]), r"class_counts must be a tensor, got list"),
    (lambda: LDAMLoss(THREE[None]), r"class_counts must have shape \[C\].*got \(1, 3\)"),
    (lambda: LDAMLoss(THREE, weight=WEIGHT), r"weight must have shape \[C\] = \(3,\)"),
    (lambda: effective_number_weights(THREE, beta=1.0), r"beta must lie in \[0, 1\), got 1.0: its limit"),
    (lambda: effective_number_weights(THREE - 1), r"class_counts must be at least 1, got 0"),
    (lambda: positive_weights(THREE, num_samples=4), r"num_samples must be at least.*got 4 and 5: count samples"),
    (lambda: positive_weights(THREE.float(), num_samples=9), r"label_counts must be of an integer dtype.*\.long"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
