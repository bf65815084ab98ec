"""GAN losses equal their papers' formulas in probabilities, and stay finite where the discriminator is sure."""

import pytest
import torch
from laws import Case, laws_for
from torch.testing import assert_close

import equipoise as eq
from equipoise.losses.adversarial import (
    hinge_discriminator,
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
    minimax_discriminator,
    minimax_generator,
    non_saturating_generator,
    paired_relativistic_discriminator,
    paired_relativistic_generator,
    relativistic_discriminator,
    relativistic_generator,
    wasserstein_discriminator,
    wasserstein_generator,
)


def one(n, generator):
    return (3 * torch.randn(n, 2, 3, generator=generator, dtype=torch.float64),)


def two(n, generator):
    return one(n, generator) + one(n, generator)


ONE = [
    minimax_generator,
    non_saturating_generator,
    least_squares_generator,
    hinge_generator,
    wasserstein_generator,
]
PAIRED = [paired_relativistic_discriminator, paired_relativistic_generator]
TWO = [
    minimax_discriminator,
    least_squares_discriminator,
    hinge_discriminator,
    wasserstein_discriminator,
    relativistic_discriminator,
    relativistic_generator,
]
CASES = [Case(loss.__name__, loss, one, elementwise=False) for loss in ONE]
CASES += [Case(loss.__name__, loss, two, learned=(0, 1), elementwise=False) for loss in TWO + PAIRED]
test_laws, test_compiles = laws_for(CASES)


def samples(real=7, fake=5):
    generator = torch.Generator().manual_seed(1)
    return one(real, generator)[0], one(fake, generator)[0]


def log(logits):
    """log D, the plain way."""
    return (1 / (1 + (-logits).exp())).log()


FORMULAS = [
    (minimax_discriminator, lambda r, f: -log(r).mean() - (1 - log(f).exp()).log().mean()),
    (lambda r, f: minimax_generator(f), lambda r, f: (1 - log(f).exp()).log().mean()),
    (lambda r, f: non_saturating_generator(f), lambda r, f: -log(f).mean()),
    (least_squares_discriminator, lambda r, f: ((r - 1) ** 2).mean() / 2 + (f**2).mean() / 2),
    (lambda r, f: least_squares_generator(f), lambda r, f: ((f - 1) ** 2).mean() / 2),
    # Miyato et al. (16): to be maximised, E min(0, -1 + D(x)) + E min(0, -1 - D(G(z)))
    (hinge_discriminator, lambda r, f: -(r - 1).clamp(max=0).mean() - (-f - 1).clamp(max=0).mean()),
    (lambda r, f: hinge_generator(f), lambda r, f: -f.mean()),
    (wasserstein_discriminator, lambda r, f: f.mean() - r.mean()),
    (lambda r, f: wasserstein_generator(f), lambda r, f: -f.mean()),
    (
        relativistic_discriminator,
        lambda r, f: -log(r - f.mean()).mean() - (1 - log(f - r.mean()).exp()).log().mean(),
    ),
    (
        relativistic_generator,
        lambda r, f: -log(f - r.mean()).mean() - (1 - log(r - f.mean()).exp()).log().mean(),
    ),
]


@pytest.mark.parametrize(("loss", "formula"), FORMULAS)
def test_is_its_formula(loss, formula):
    """Also of batches of different sizes."""
    real, fake = samples()
    assert_close(loss(real, fake), formula(real, fake))


def test_pairs_are_their_formula():
    real, fake = samples(real=5)
    assert_close(paired_relativistic_discriminator(real, fake), -log(real - fake).mean())
    assert_close(paired_relativistic_generator(real, fake), -log(fake - real).mean())


def test_relativistic_of_one_pair_is_twice_that_of_the_pair():
    """With one logit of each kind the averages are the logits, and both terms are that of the pair."""
    real, fake = torch.tensor([0.3]), torch.tensor([1.7])
    assert_close(relativistic_discriminator(real, fake), 2 * paired_relativistic_discriminator(real, fake))
    assert_close(relativistic_generator(real, fake), 2 * paired_relativistic_generator(real, fake))


def test_a_generator_that_is_right_leaves_the_discriminator_undecided():
    """Of one distribution, logits of 0 are the best answer: the slope there is 0 (Goodfellow et al., proposition 1)."""
    logits = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    for loss in (minimax_discriminator, relativistic_discriminator, paired_relativistic_discriminator):
        (slope,) = torch.autograd.grad(loss(logits, logits), logits)
        assert_close(slope, torch.zeros_like(slope))


def test_a_sure_discriminator_silences_the_saturating_generator_only():
    logits = torch.full((4,), -100.0, requires_grad=True)
    (saturated,) = torch.autograd.grad(minimax_generator(logits), logits)
    (steep,) = torch.autograd.grad(non_saturating_generator(logits), logits)
    assert_close(saturated, torch.zeros(4))
    assert_close(steep, torch.full((4,), -1 / 4))


@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
@pytest.mark.parametrize("case", [c for c in CASES if "least_squares" not in c.name], ids=str)
def test_certainty_has_a_finite_gradient(case, size):
    for signs in ((1, -1), (-1, 1), (1, 1)):
        logits = [torch.full((3, 1), sign * size, requires_grad=True) for sign in signs[: len(case.learned)]]
        loss = case(*logits)
        assert loss.isfinite()
        for slope in torch.autograd.grad(loss, logits):
            assert slope.isfinite().all()


def test_what_is_right_by_the_margin_does_not_count():
    real, fake = torch.tensor([1.0, 5.0], requires_grad=True), torch.tensor([-1.0, -3.0], requires_grad=True)
    loss = hinge_discriminator(real, fake)
    assert loss == 0
    for slope in torch.autograd.grad(loss, (real, fake)):
        assert_close(slope, torch.zeros(2))


def test_is_a_task_without_a_target():
    tasks = eq.Tasks([eq.Task("fool", non_saturating_generator, target=None)])
    logits = torch.tensor([[0.5], [1.5]])
    assert_close(tasks.losses({"fool": logits})["fool"], non_saturating_generator(logits))


COLUMN, ROW = torch.randn(4, 1), torch.randn(4)
MISUSES = [
    (lambda: minimax_discriminator(ROW, COLUMN), r"real_logits and fake_logits .*\(4,\) and \(4, 1\).*squeeze\(-1\)"),
    (lambda: relativistic_discriminator(COLUMN, ROW), r"real_logits and fake_logits must have the same shape after"),
    (lambda: hinge_discriminator(torch.randn(4, 1, 8, 8), COLUMN), r"fake_logits must have the same shape after"),
    (lambda: paired_relativistic_generator(ROW, ROW[:3]), r"real_logits and fake_logits must have the same shape"),
    (lambda: paired_relativistic_generator(ROW, COLUMN), r"fake_logits must have the same shape.*squeeze\(-1\)"),
    (lambda: non_saturating_generator(torch.tensor(1.0)), r"fake_logits must have shape \[N, ...\], got \(\)"),
    (
        lambda: wasserstein_generator(torch.tensor([1, 2])),
        r"fake_logits must be floating point, got torch.int64.*float",
    ),
    (lambda: least_squares_generator(0.5), r"fake_logits must be a tensor, got float"),
    (lambda: minimax_discriminator(ROW > 0, ROW), r"real_logits must be floating point, got torch.bool"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
