"""The robust loss is its named members, is smooth between them, and its density integrates to 1."""

import itertools
import math

import pytest
import torch
from laws import Case, laws_for
from torch.testing import assert_close

from equipoise.losses.robust import AdaptiveRobustLoss, AdaptiveRobustNLLLoss, adaptive_robust, adaptive_robust_nll

MEMBERS = {  # in x / scale
    2.0: lambda x: x**2 / 2,
    1.0: lambda x: (x**2 + 1).sqrt() - 1,
    0.0: lambda x: (x**2 / 2 + 1).log(),
    -2.0: lambda x: 2 * x**2 / (x**2 + 4),
    -math.inf: lambda x: 1 - (-(x**2) / 2).exp(),
    math.inf: lambda x: (x**2 / 2).exp() - 1,
}
ERRORS = torch.cat([torch.logspace(-4, 1.5, 56), -torch.logspace(-4, 1.5, 56)]).double()


def pair(n, generator):
    return tuple(2 * torch.randn(n, 3, generator=generator, dtype=torch.float64) for _ in range(2))


def at(*alphas):
    def arguments(n, generator):
        return (
            *pair(n, generator),
            torch.tensor(alphas, dtype=torch.float64),
            torch.tensor([0.5, 1.0, 3.0], dtype=torch.float64),
        )

    return arguments


def robust(prediction, target, alpha, scale, **keywords):
    return adaptive_robust(prediction, target, alpha=alpha, scale=scale, **keywords)


def robust_nll(prediction, target, alpha, scale, **keywords):
    return adaptive_robust_nll(prediction, target, alpha=alpha, scale=scale, **keywords)


CASES = [
    *(Case(f"robust, {alpha}", adaptive_robust, pair, keywords={"alpha": alpha}) for alpha in MEMBERS if alpha < 3),
    Case("robust, scaled", adaptive_robust, pair, keywords={"alpha": 0.7, "scale": 0.5}),
    Case("robust, learned", robust, at(-0.5, 0.3, 1.4), learned=(0, 2, 3)),
    Case("robust, learned near 0", robust, at(-1e-3, 0.0, 1e-5), learned=(0, 2, 3)),
    Case("robust, learned near 2", robust, at(1.999, 2.001, 1.99), learned=(0, 2, 3)),
    Case("robust, learned at the change of formulas", robust, at(1.8751, 1.8749, -30.0), learned=(0, 3)),
    Case("nll", adaptive_robust_nll, pair, keywords={"alpha": 0.7, "scale": 0.5}),
    Case("nll, learned", robust_nll, at(0.01, 1.2, 1.99), learned=(0, 2, 3)),
]
test_laws, test_compiles = laws_for(CASES)


def rho(errors, alpha, **keywords):
    return adaptive_robust(errors, torch.zeros_like(errors), alpha=alpha, reduction="none", **keywords)


def rho_as_written(errors, alpha):
    """Eq. (1), in numbers."""
    b = abs(alpha - 2)
    return b / alpha * ((errors**2 / b + 1) ** (alpha / 2) - 1)


@pytest.mark.parametrize("alpha", MEMBERS)
def test_its_members_by_name(alpha):
    errors = ERRORS[ERRORS.abs() < 10]
    expected = MEMBERS[alpha](errors / 0.7)
    assert_close(rho(errors, alpha, scale=0.7), expected, rtol=1e-7, atol=1e-15)
    learned = torch.tensor(alpha, dtype=torch.float64)
    assert_close(rho(errors, learned, scale=0.7), expected, rtol=1e-7, atol=1e-15)


@pytest.mark.parametrize("alpha", [-5.0, -0.3, 0.4, 0.99, 1.3, 1.9, 2.5, 4.0])
def test_it_is_its_formula(alpha):
    expected = rho_as_written(ERRORS, alpha)
    assert_close(rho(ERRORS, alpha), expected, rtol=1e-6, atol=1e-14)
    assert_close(rho(ERRORS, torch.tensor(alpha, dtype=torch.float64)), expected, rtol=1e-6, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_number_and_a_tensor_are_one_loss(dtype):
    errors = ERRORS.to(dtype)
    tolerance = {"rtol": 3e-6, "atol": 1e-30} if dtype == torch.float32 else {"rtol": 1e-13, "atol": 1e-30}
    for alpha in (
        -math.inf,
        -1e9,
        -3.0,
        -0.018,
        -1e-3,
        -1e-9,
        0.0,
        1e-9,
        1e-3,
        0.018,
        0.019,
        0.5,
        1.0,
        1.5,
        1.99,
        2.0,
        2.01,
        3.0,
    ):
        assert_close(rho(errors, alpha), rho(errors, torch.tensor(alpha, dtype=dtype)), **tolerance)


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("limit", [0.0, 1.875, 2.0, 2.125, -math.inf])
def test_no_jump_at_the_gaps_of_the_formula(limit, learned):
    """Value and slope in the error approach those at the limit, from both sides, at a rate that has no floor."""
    errors = ERRORS[ERRORS.abs() < 10].clone().requires_grad_()

    def both(alpha):
        losses = rho(errors, torch.tensor(alpha, dtype=torch.float64) if learned else alpha)
        return torch.cat([losses, *torch.autograd.grad(losses.sum(), errors)]).detach()

    exact = both(limit)
    for distance in (1e-2, 1e-4, 1e-8, 1e-12, 1e-15):
        near = [-1 / distance] if limit < 0 else [limit - distance, limit + distance]
        for alpha in near:
            # the slowest is 2, where the difference is of the order b log b
            bound = 500 * distance * (1 - math.log(distance)) + 1e-12
            assert (both(alpha) - exact).abs().max() < bound


def test_loss_grows_with_alpha():
    """Barron, section 2: monotonic in alpha."""
    alphas = [-math.inf, -50.0, -2.0, -1e-4, 0.0, 1e-4, 1.0, 1.87499, 1.87501, 1.9999, 2.0, 2.0001, 5.0]
    losses = torch.stack([rho(ERRORS, torch.tensor(alpha, dtype=torch.float64)) for alpha in alphas])
    assert (losses.diff(dim=0) > -1e-12).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("alpha", [-math.inf, -1e6, -1.0, -1e-6, 0.0, 1e-30, 1e-6, 0.5, 1.0, 2 - 1e-6, 2.0, 2 + 1e-6])
def test_gradients_are_finite_and_right_for_perfect_and_for_hopeless_predictions(alpha, dtype):
    errors = torch.tensor([0.0, 1e-14, 1e-3, 1.0, 1e3, 1e6], dtype=dtype, requires_grad=True)
    shape = torch.full((6,), alpha, dtype=dtype, requires_grad=True)
    losses = adaptive_robust(errors, torch.zeros_like(errors), alpha=shape, reduction="none")
    slope, shape_slope = torch.autograd.grad(losses.sum(), [errors, shape])
    assert losses.isfinite().all()
    assert slope.isfinite().all()
    assert shape_slope.isfinite().all()
    assert (shape_slope >= -1e-4 * losses.detach()).all()  # it grows with alpha
    # near 0 it is x^2 / 2 whatever alpha
    assert_close(losses[:3], errors[:3] ** 2 / 2, rtol=1e-5, atol=0.0)
    assert_close(slope[:3], errors[:3].detach(), rtol=1e-5, atol=0.0)


@pytest.mark.parametrize(
    "alpha", [0.0, 1e-12, 1e-7, -1e-5, 1e-3, 0.018, 0.019, 0.05, 1.8, *(2 - 2.0**-k for k in (4, 10, 18))]
)
def test_slope_in_alpha_keeps_its_digits(alpha):
    """In float32, beside float64: next to 0 and 2 large terms would cancel."""
    errors, slopes = ERRORS.abs(), []
    for dtype in (torch.float32, torch.float64):
        shape = torch.full_like(errors, alpha, dtype=dtype, requires_grad=True)
        loss = adaptive_robust(errors.to(dtype), torch.zeros_like(errors, dtype=dtype), alpha=shape, reduction="sum")
        slopes += torch.autograd.grad(loss, shape)
    large = slopes[1] > 1e-3
    assert_close(slopes[0][large].double(), slopes[1][large], rtol=2e-3, atol=0.0)


def test_slope_in_alpha_at_0():
    """Of b/2 L (1 + alpha L / 4), b = 2 - alpha, L = log(1 + u/b): L^2 / 4 - L / 2 + u / (2 (2 + u))."""
    errors = ERRORS.abs()
    shape = torch.zeros_like(errors, requires_grad=True)
    loss = adaptive_robust(errors, torch.zeros_like(errors), alpha=shape, reduction="sum")
    u = errors**2
    expected = (u / 2).log1p() ** 2 / 4 - (u / 2).log1p() / 2 + u / (2 * (2 + u))
    assert_close(*torch.autograd.grad(loss, shape), expected, rtol=1e-5, atol=1e-14)


def test_scale_is_a_unit():
    errors = ERRORS[:40]
    assert_close(rho(5 * errors, 0.6, scale=5.0), rho(errors, 0.6))
    nll = adaptive_robust_nll(5 * errors, torch.zeros_like(errors), alpha=0.6, scale=5.0)
    assert_close(nll, adaptive_robust_nll(errors, torch.zeros_like(errors), alpha=0.6) + math.log(5))


def test_each_output_has_its_own_alpha_and_scale():
    prediction, target = pair(8, torch.Generator().manual_seed(1))
    alphas, scales = [0.2, 1.0, 1.9], [1.0, 2.0, 0.1]
    together = adaptive_robust_nll(
        prediction, target, alpha=torch.tensor(alphas), scale=torch.tensor(scales), reduction="none"
    )
    for column, (alpha, scale) in enumerate(zip(alphas, scales, strict=True)):
        alone = adaptive_robust_nll(
            prediction[:, column], target[:, column], alpha=alpha, scale=scale, reduction="none"
        )
        assert_close(together[:, column], alone, rtol=1e-6, atol=1e-6)


def integral(alpha, scale):
    """Of exp(-nll) over the real line, piece by piece; quad sees numbers, in x = sinh t."""
    quad = pytest.importorskip("scipy.integrate").quad
    zero = torch.zeros((), dtype=torch.float64)

    def density(t):
        x = torch.tensor(math.sinh(t), dtype=torch.float64)
        return math.exp(-adaptive_robust_nll(x, zero, alpha=alpha, scale=scale).item()) * math.cosh(t)

    pieces = [0.0, 0.03, 0.3, 1.5, 4.0, 30.0]
    return 2 * sum(quad(density, low, high, epsabs=1e-10)[0] for low, high in itertools.pairwise(pieces))


@pytest.mark.parametrize("alpha", [0.0, 0.01, 0.1, 0.5, 1.0, 1.5, 1.9, 1.99, 1.999, 2.0])
def test_density_integrates_to_1(alpha):
    assert integral(alpha, scale=0.2) == pytest.approx(1.0, abs=1e-8)


def test_normaliser_in_closed_form():
    """sqrt(2) pi at alpha 0 (Cauchy), 2 e K_1(1) at 1 (Barron's supplement), sqrt(2 pi) at 2 (Gauss)."""
    k1 = pytest.importorskip("scipy.special").k1
    closed = {0.0: math.sqrt(2) * math.pi, 1.0: 2 * math.e * k1(1.0), 2.0: math.sqrt(2 * math.pi)}
    for dtype, tolerance in ((torch.float32, 2e-6), (torch.float64, 1e-8)):
        zero = torch.zeros(1, dtype=dtype)
        for alpha, normaliser in closed.items():
            value = adaptive_robust_nll(zero, zero, alpha=alpha).item()
            assert value == pytest.approx(math.log(normaliser), abs=tolerance)


def test_limits_are_the_densities_of_torch():
    errors = ERRORS[:50]
    gauss = -torch.distributions.Normal(0.0, 0.3).log_prob(errors)
    assert_close(adaptive_robust_nll(errors, torch.zeros(50).double(), alpha=2.0, scale=0.3, reduction="none"), gauss)
    cauchy = -torch.distributions.Cauchy(0.0, 0.3 * math.sqrt(2)).log_prob(errors)
    assert_close(adaptive_robust_nll(errors, torch.zeros(50).double(), alpha=0.0, scale=0.3, reduction="none"), cauchy)


@pytest.mark.parametrize("alpha", [0.05, 0.5, 0.9, 1.1, 1.6, 1.95])
def test_slope_of_the_normaliser_is_minus_the_expected_slope_of_the_loss(alpha):
    """The score of a density has mean 0: int d nll / d alpha exp(-nll) dx = 0."""
    x = torch.sinh(torch.linspace(-30, 30, 6001, dtype=torch.float64))
    shape = torch.full_like(x, alpha, requires_grad=True)
    nll = adaptive_robust_nll(x, torch.zeros_like(x), alpha=shape, reduction="none")
    (slope,) = torch.autograd.grad(nll.sum(), shape)
    weights = (1 + x * x).sqrt() * (60 / 6000)  # dx = cosh t dt
    assert (slope * (-nll.detach()).exp() * weights).sum().abs() < 1e-5


def fitted(sample, **keywords):
    """Maximum likelihood by L-BFGS; the location is known."""
    loss = AdaptiveRobustNLLLoss(**keywords)
    optimiser = torch.optim.LBFGS(loss.parameters(), max_iter=60, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        value = loss(torch.zeros_like(sample), sample)
        value.backward()
        return value

    optimiser.step(closure)
    return loss.alpha.detach(), loss.scale.detach()


def test_heavier_tails_learn_a_lower_alpha():
    generator = torch.Generator().manual_seed(0)
    gauss = 3 * torch.randn(2000, generator=generator)
    cauchy = 0.5 * math.sqrt(2) * torch.tan(math.pi * (torch.rand(2000, generator=generator) - 0.5))
    student = gauss / 3 / (torch.randn(2000, 4, generator=generator).square().mean(dim=1)).sqrt()
    alpha, scale = fitted(torch.stack([gauss, cauchy, student], dim=1), num_outputs=3)
    assert alpha[0] > 1.6
    assert alpha[1] < 0.15
    assert alpha[1] + 0.2 < alpha[2] < alpha[0] - 0.2
    assert scale[0] == pytest.approx(3.0, rel=0.25)
    assert scale[1] == pytest.approx(0.5, rel=0.15)
    alone, _ = fitted(cauchy)
    assert_close(alone, alpha[1], rtol=0.2, atol=0.05)


def test_modules_are_their_functions():
    prediction, target = (a.float() for a in pair(9, torch.Generator().manual_seed(2)))
    module = AdaptiveRobustLoss(alpha=-1.0, scale=0.5, reduction="sum")
    assert_close(
        module(prediction, target), adaptive_robust(prediction, target, alpha=-1.0, scale=0.5, reduction="sum")
    )
    assert repr(module) == "AdaptiveRobustLoss(alpha=-1.0, scale=0.5, reduction='sum')"
    learned = AdaptiveRobustNLLLoss(3, initial_alpha=0.4, initial_scale=2.0, reduction="sum")
    expected = adaptive_robust_nll(prediction, target, alpha=0.4, scale=2.0, reduction="sum")
    assert_close(learned(prediction, target), expected)
    assert "num_outputs=3, initial_alpha=0.4, initial_scale=2.0, reduction='sum'" in repr(learned)
    assert_close(learned.alpha, torch.full((3,), 0.4))
    assert_close(learned.scale, torch.full((3,), 2.0))


def test_learned_parameters_are_state():
    one, other = AdaptiveRobustNLLLoss(2, initial_alpha=0.3), AdaptiveRobustNLLLoss(2)
    other.load_state_dict(one.state_dict())
    assert_close(other.alpha, one.alpha)
    assert {name: tuple(p.shape) for name, p in one.named_parameters()} == {"alpha_logits": (2,), "log_scale": (2,)}
    assert AdaptiveRobustNLLLoss().alpha.shape == ()


A, B = torch.randn(4, 2), torch.randn(4, 2)
MISUSES = [
    (lambda: adaptive_robust(A[:, 0], B[:, :1]), r"prediction and target must have the same shape.*squeeze"),
    (lambda: adaptive_robust(A.long(), B), r"prediction must be floating point.*\.float"),
    (lambda: adaptive_robust(A, B, alpha=math.nan), r"alpha must lie in \[-inf, inf\], got nan"),
    (lambda: adaptive_robust(A, B, alpha=torch.tensor(math.nan)), r"alpha must lie in \[-inf, inf\], got nan"),
    (lambda: adaptive_robust(A, B, alpha=torch.ones(4)), r"alpha must have shape \[\] or .*\(2,\).*got \(4,\)"),
    (lambda: adaptive_robust(A, B, alpha=torch.tensor(1)), r"alpha must be floating point"),
    (lambda: adaptive_robust(A, B, scale=0.0), r"scale must lie in \(0, inf\), got 0.0"),
    (lambda: adaptive_robust(A, B, scale=torch.ones(4, 1)), r"scale must have shape \[\] or .*\(2,\).*got \(4, 1\)"),
    (lambda: adaptive_robust(A, B, scale=torch.tensor(-1.0)), r"scale must be positive, got -1: learn its logarithm"),
    (lambda: adaptive_robust(A, B, reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: adaptive_robust_nll(A, B, alpha=-0.5), r"alpha must lie in \[0, 2\], got -0.5"),
    (lambda: adaptive_robust_nll(A, B, alpha=torch.tensor(2.5)), r"alpha must lie in \[0, 2\], got 2.5: below 0"),
    (lambda: AdaptiveRobustLoss(alpha=math.nan), r"alpha must lie in .*got nan"),
    (lambda: AdaptiveRobustLoss(scale=-1.0), r"scale must lie in \(0, inf\), got -1.0"),
    (lambda: AdaptiveRobustLoss(reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: AdaptiveRobustNLLLoss(num_outputs=0), r"num_outputs must be a positive integer or None, got 0"),
    (lambda: AdaptiveRobustNLLLoss(num_outputs=2.5), r"num_outputs must be a positive integer or None, got 2.5"),
    (lambda: AdaptiveRobustNLLLoss(initial_alpha=2.0), r"initial_alpha must lie in \(0, 2\), got 2.0"),
    (lambda: AdaptiveRobustNLLLoss(initial_scale=0.0), r"initial_scale must lie in \(0, inf\), got 0.0"),
    (lambda: AdaptiveRobustNLLLoss(reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: AdaptiveRobustNLLLoss(3)(A, B), r"alpha must have shape \[\] or one value per output, \(2,\).*got \(3,\)"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
