"""Gradient penalties: closed forms of linear and quadratic discriminators, second derivatives under a balancer."""

import pytest
import torch
from laws import LAWS, Case, half_precision_is_finite
from torch import nn
from torch.testing import assert_close

import equipoise as eq
from equipoise.losses.adversarial import wasserstein_discriminator
from equipoise.losses.gradient_penalties import gradient_penalty, r1_penalty, r2_penalty


def waves(scale):
    """A discriminator with a scale to learn."""
    return lambda x: (x * scale).sin().flatten(1).sum(dim=1)


def penalty(real, fake, scale):
    return gradient_penalty(waves(scale), real, fake, generator=torch.Generator().manual_seed(3))


def made(n, generator):
    real, fake = torch.randn(2, n, 2, 3, generator=generator, dtype=torch.float64)
    return real, fake, torch.tensor([0.5, 1.0, 1.5], dtype=torch.float64)


CASES = [
    Case("wgan-gp", penalty, made, learned=(2,), elementwise=False, permutes=False),
    Case("r1", lambda real, fake, scale: r1_penalty(waves(scale), real), made, learned=(2,), elementwise=False),
    Case("r2", lambda real, fake, scale: r2_penalty(waves(scale), fake), made, learned=(2,), elementwise=False),
]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("check", [law for law in LAWS if law is not half_precision_is_finite])
def test_laws(check, case):
    """But for half precision, in which the user's discriminator computes."""
    check(case)


def linear(weight):
    return lambda x: x.flatten(1) @ weight


def quadratic(x):
    """Its slope at x is x."""
    return x.square().flatten(1).sum(dim=1, keepdim=True) / 2


def test_of_a_linear_discriminator():
    """The slope is the weight (3, 4) everywhere: lengths of 5. d/dw (|w| - 1)^2 = 2 (5 - 1) w / 5; d/dw |w|^2 = 2 w."""
    weight = torch.tensor([3.0, 4.0], requires_grad=True)
    real, fake = torch.randn(2, 6, 2)
    for loss, value, slope in (
        (gradient_penalty(linear(weight), real, fake), 16.0, [4.8, 6.4]),
        (gradient_penalty(linear(weight), real, fake, target=0.0), 25.0, [6.0, 8.0]),
        (gradient_penalty(linear(weight), real, fake, target=7.0), 4.0, [-2.4, -3.2]),
        (r1_penalty(linear(weight), real), 25.0, [6.0, 8.0]),
        (r2_penalty(linear(weight), fake), 25.0, [6.0, 8.0]),
    ):
        assert_close(loss.item(), value)
        assert_close(torch.autograd.grad(loss, weight)[0], torch.tensor(slope))


def test_of_a_quadratic_discriminator():
    real, fake = torch.randn(2, 6, 1, 3, 3)
    lengths = real.flatten(1).norm(dim=1)
    assert_close(r1_penalty(quadratic, real), lengths.square().mean())
    assert_close(r2_penalty(quadratic, fake), fake.flatten(1).square().sum(dim=1).mean())
    assert_close(gradient_penalty(quadratic, real, real), (lengths - 1).square().mean())


def test_places_lie_between_the_partners_one_for_each_sample():
    seen = []

    def watched(x):
        seen.append(x.detach())
        return quadratic(x)

    real, fake = torch.randn(2, 50, 2, 3, dtype=torch.float64)
    generator = torch.Generator().manual_seed(5)
    first = gradient_penalty(watched, real, fake, generator=generator)
    places = ((seen[0] - fake) / (real - fake)).flatten(1)
    assert_close(places, places[:, :1].expand_as(places))
    assert 0 <= places.min() < 0.2
    assert 0.8 < places.max() <= 1
    assert gradient_penalty(watched, real, fake, generator=generator) != first
    assert gradient_penalty(watched, real, fake, generator=generator.manual_seed(5)) == first


def test_a_flat_discriminator_has_a_finite_gradient():
    """The norm's subgradient at 0 is 0."""
    weight = torch.zeros(2, requires_grad=True)
    real, fake = torch.randn(2, 6, 2)
    loss = gradient_penalty(linear(weight), real, fake)
    assert_close(loss.item(), 1.0)
    assert_close(torch.autograd.grad(loss, weight)[0], torch.zeros(2))


def test_only_the_discriminator_is_trained_and_only_by_backward():
    discriminator = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    real, fake = torch.randn(2, 5, 3)
    fake.requires_grad_()
    losses = [gradient_penalty(discriminator, real, 2 * fake), r2_penalty(discriminator, 2 * fake)]
    assert all(parameter.grad is None for parameter in discriminator.parameters())
    sum(losses).backward()
    assert fake.grad is None
    assert discriminator[0].weight.grad.abs().sum() > 0


def test_can_be_watched_without_gradients():
    real, fake = torch.randn(2, 5, 3)
    expected = r1_penalty(quadratic, real)
    with torch.no_grad():
        assert_close(r1_penalty(quadratic, real), expected)
        assert not gradient_penalty(quadratic, real, fake).requires_grad


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_squares_of_half_precision_do_not_overflow(dtype):
    """Slopes of 300: a square of 90 000 is beyond float16."""
    weight = torch.full((4,), 300.0, dtype=dtype, requires_grad=True)
    real = torch.randn(6, 4).to(dtype)
    for loss in (r1_penalty(linear(weight), real), gradient_penalty(linear(weight), real, -real)):
        assert loss.dtype == torch.float32
        assert loss.isfinite()
        assert torch.autograd.grad(loss, weight)[0].isfinite().all()


def dense():
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 1)).double()


def convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(4, 4, 3, stride=2), nn.SiLU(), nn.Flatten(),
        nn.Linear(4, 1),
    ).double()  # fmt: skip


def critic_losses(critic):
    real, fake = torch.randn(2, 6, 1, 4, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    place = torch.Generator().manual_seed(1)
    return {
        "distance": wasserstein_discriminator(critic(real), critic(fake)),
        "penalty": gradient_penalty(critic, real, fake, generator=place),
    }


def rows_of(critic):
    parameters = list(critic.parameters())
    return {
        name: torch.cat([
            g.flatten()
            for g in torch.autograd.grad(
                loss, parameters, retain_graph=True, allow_unused=True, materialize_grads=True
            )
        ])
        for name, loss in critic_losses(critic).items()
    }  # fmt: skip


def gradient_of(critic):
    return torch.cat([
        (p.grad if p.grad is not None else torch.zeros_like(p)).flatten() for p in critic.parameters()
    ])  # fmt: skip


@pytest.mark.parametrize("make", [dense, convolutional])
@pytest.mark.parametrize("route", ["auto", "rows", "batched", "factored"])
@pytest.mark.parametrize("method", [eq.Sum, eq.MGDA, eq.PCGrad])
def test_a_balancer_goes_twice_backward(method, route, make):
    """What it delivers is its own combination of the gradients that plain autograd finds."""
    torch.manual_seed(0)
    critic = make()
    balancer = eq.Balancer(method(), critic, tasks=["distance", "penalty"], route=route)
    balancer(critic_losses(critic)).backward()
    weights = balancer.record.weights
    expected = sum(weights[name] * row for name, row in rows_of(critic).items())
    assert_close(gradient_of(critic), expected)


def test_mgda_of_a_penalty_is_the_closed_form():
    """Sener and Koltun, eq. (4): the weight of the first is (g2 - g1) . g2 / |g1 - g2|^2, in [0, 1]. Twice it here."""
    torch.manual_seed(0)
    critic = dense()
    balancer = eq.Balancer(eq.MGDA(), critic, tasks=["distance", "penalty"])
    balancer(critic_losses(critic)).backward()
    one, other = rows_of(critic).values()
    expected = ((other - one) @ other / (one - other).square().sum()).clamp(0, 1)
    assert_close(balancer.record.weights["distance"], 2 * expected.item(), rtol=1e-6, atol=1e-9)


REAL = torch.randn(4, 3)
MISUSES = [
    (lambda: gradient_penalty(quadratic, REAL, REAL[:2]), r"real and fake must have the same shape"),
    (lambda: gradient_penalty(quadratic, REAL, REAL, target=-1.0), r"target must lie in \[0, inf\), got -1.0"),
    (lambda: r1_penalty(quadratic, torch.randn(4)), r"real must have shape \[N, ...\], a batch of samples, got \(4,\)"),
    (lambda: r2_penalty(quadratic, torch.ones(4, 3).long()), r"fake must be floating point.*\.float\(\)"),
    (lambda: r1_penalty(lambda x: x.sum(), REAL), r"discriminator must give one logit per sample.*got \(\)"),
    (lambda: r1_penalty(lambda x: x, REAL), r"one logit per sample.*got \(4, 3\).*flatten\(1\)\.mean\(dim=1\)"),
    (lambda: r1_penalty(lambda x: x.detach().sum(dim=1), REAL), r"discriminator must not detach its input"),
    (lambda: r1_penalty(quadratic, [REAL]), r"real must be a tensor, got list"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
