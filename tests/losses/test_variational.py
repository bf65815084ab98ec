"""The Gaussian KL equals that of torch.distributions; free bits equal a loop over the latents."""

import pytest
import torch
from laws import Case, laws_for
from torch.distributions import Normal, kl_divergence
from torch.testing import assert_close

import equipoise as eq
from equipoise.losses.variational import GaussianKLLoss, gaussian_kl


def posteriors(n, generator):
    return tuple(torch.randn(2, n, 3, 2, generator=generator, dtype=torch.float64))


CASES = [
    Case("gaussian kl", gaussian_kl, posteriors, learned=(0, 1)),
    Case("free bits", gaussian_kl, posteriors, learned=(0, 1), keywords={"free_bits": 0.9}, elementwise=False),
]
test_laws, test_compiles = laws_for(CASES)


def divergences(mean, log_variance):
    return kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0))


def test_is_the_divergence_of_the_distributions():
    mean, log_variance = posteriors(20, torch.Generator().manual_seed(1))
    expected = divergences(mean, log_variance).sum(dim=(1, 2))
    assert_close(gaussian_kl(mean, log_variance, reduction="none"), expected)
    assert_close(gaussian_kl(mean, log_variance), expected.mean())
    assert_close(gaussian_kl(mean, log_variance, reduction="sum"), expected.sum())


def test_is_the_mean_log_ratio_of_densities():
    """By its definition, over samples of the posterior: E log q(z) - log p(z)."""
    mean, log_variance = torch.tensor([[0.5, -1.0]]).double(), torch.tensor([[-0.5, 0.7]]).double()
    posterior = Normal(mean, (log_variance / 2).exp())
    torch.manual_seed(0)
    z = posterior.sample((200_000,))
    estimate = (posterior.log_prob(z) - Normal(0.0, 1.0).log_prob(z)).sum(dim=-1).mean()
    assert_close(gaussian_kl(mean, log_variance), estimate, rtol=0.02, atol=0.0)


def test_the_prior_costs_nothing():
    mean, log_variance = torch.zeros(2, 4, 3, requires_grad=True).unbind()
    loss = gaussian_kl(mean, log_variance)
    assert loss == 0
    for slope in torch.autograd.grad(loss, (mean, log_variance)):
        assert_close(slope, torch.zeros_like(slope))


def test_keeps_its_digits_near_the_prior():
    """For a small log variance s, (exp(s) - 1 - s) / 2 is s^2 / 4 + s^3 / 12."""
    s = 1e-3
    loss = gaussian_kl(torch.zeros(1, 1), torch.full((1, 1), s))
    assert_close(loss.item(), s**2 / 4 + s**3 / 12, rtol=1e-3, atol=0.0)


@pytest.mark.parametrize("log_variance", [-1e4, -100.0, 80.0])
def test_narrow_and_wide_posteriors_have_a_finite_gradient(log_variance):
    arguments = [torch.ones(2, 3, requires_grad=True), torch.full((2, 3), log_variance, requires_grad=True)]
    loss = gaussian_kl(*arguments)
    assert loss.isfinite()
    for slope in torch.autograd.grad(loss, arguments):
        assert slope.isfinite().all()


def test_free_bits_are_of_each_latents_mean():
    mean, log_variance = posteriors(20, torch.Generator().manual_seed(2))
    each = divergences(mean, log_variance)
    free_bits = each.mean(dim=0).median().item()
    expected = sum(max(free_bits, each[:, i, j].mean().item()) for i in range(3) for j in range(2))
    assert_close(gaussian_kl(mean, log_variance, free_bits=free_bits).item(), expected)
    assert_close(gaussian_kl(mean, log_variance, free_bits=0.0), each.sum(dim=(1, 2)).mean())


def test_what_is_free_has_no_gradient():
    """Latents cost 2^2 / 2 = 2 and 0.2^2 / 2 = 0.02; the second is below 0.5."""
    mean = torch.tensor([[2.0, 0.2], [2.0, 0.2]], requires_grad=True)
    loss = gaussian_kl(mean, torch.zeros(2, 2), free_bits=0.5)
    assert_close(loss.item(), 2.5)
    assert_close(torch.autograd.grad(loss, mean)[0], torch.tensor([[1.0, 0.0], [1.0, 0.0]]))


def test_module_is_its_function():
    mean, log_variance = posteriors(5, torch.Generator().manual_seed(3))
    module = GaussianKLLoss(free_bits=0.2)
    assert_close(module((mean, log_variance)), gaussian_kl(mean, log_variance, free_bits=0.2))
    assert_close(
        GaussianKLLoss(reduction="none")((mean, log_variance)), gaussian_kl(mean, log_variance, reduction="none")
    )
    assert repr(module) == "GaussianKLLoss(free_bits=0.2, reduction='mean')"
    tasks = eq.Tasks([eq.Task("code", module, target=None)])
    assert_close(tasks.losses({"code": (mean, log_variance)})["code"], module((mean, log_variance)))


M = torch.randn(4, 3)
MISUSES = [
    (lambda: gaussian_kl(M, M[:, :1]), r"mean and log_variance must have the same shape"),
    (lambda: gaussian_kl(M[:, 0], M[:, 0]), r"mean must have shape \[N, D, ...\], a batch of latents, got \(4,\)"),
    (lambda: gaussian_kl(M, M.long()), r"log_variance must be floating point.*\.float\(\)"),
    (lambda: gaussian_kl(M, M, free_bits=-1.0), r"free_bits must lie in \[0, inf\), got -1.0"),
    (lambda: gaussian_kl(M, M, free_bits=1.0, reduction="none"), r"reduction must be 'mean' with free_bits.*'none'"),
    (lambda: gaussian_kl(M, M, reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: GaussianKLLoss(free_bits=-1.0), r"free_bits must lie in \[0, inf\), got -1.0"),
    (lambda: GaussianKLLoss(free_bits=1.0, reduction="sum"), r"reduction must be 'mean' with free_bits"),
    (lambda: GaussianKLLoss()(torch.randn(2, 3)), r"posterior must be a pair \(mean, log_variance\).*chunk"),
    (lambda: GaussianKLLoss()((M,)), r"posterior must be a pair \(mean, log_variance\), got tuple of 1"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
