"""InfoNCE and SigLIP equal their softmaxes and sigmoids written out."""

import math

import pytest
import torch
from laws import Case, laws_for
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

import equipoise as eq
from equipoise.losses.alignment import InfoNCELoss, SigLIPLoss, info_nce, siglip


def pairs(n, generator):
    first, second = (2 * torch.randn(n, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    return first, second


CASES = [
    Case("info_nce", info_nce, pairs, learned=(0, 1)),
    Case("info_nce, warm", info_nce, pairs, learned=(0, 1), keywords={"temperature": 1.0}),
    Case("siglip", siglip, pairs, learned=(0, 1)),
    Case("siglip, middle", siglip, pairs, learned=(0, 1), keywords={"scale": 2.0, "bias": 0.5}),
]
test_laws, test_compiles = laws_for(CASES)


def cosines(first, second):
    return F.cosine_similarity(first[:, None], second[None], dim=2)


@pytest.mark.parametrize("temperature", [0.01, 0.07, 2.0])
def test_info_nce_is_both_softmaxes_written_out(temperature):
    first, second = pairs(9, torch.Generator().manual_seed(1))
    exponentials = (cosines(first, second) / temperature).exp()
    to_second = -(exponentials.diagonal() / exponentials.sum(dim=1)).log()
    to_first = -(exponentials.diagonal() / exponentials.sum(dim=0)).log()
    expected = (to_second + to_first) / 2
    assert_close(info_nce(first, second, temperature=temperature, reduction="none"), expected)


def test_info_nce_of_open_clip():
    """Cross-entropy over logits and over their transpose, halved: the naive ClipLoss."""
    first, second = pairs(9, torch.Generator().manual_seed(2))
    logits = F.normalize(first) @ F.normalize(second).T / 0.07
    labels = torch.arange(9)
    expected = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2
    assert_close(info_nce(first, second), expected)


@pytest.mark.parametrize("bias", [-10.0, 0.0, 3.0])
def test_siglip_is_algorithm_1(bias):
    first, second = pairs(9, torch.Generator().manual_seed(3))
    logits = cosines(first, second) * 10.0 + bias
    labels = 2 * torch.eye(9) - torch.ones(9, 9)
    expected = -torch.log(torch.sigmoid(labels * logits)).sum() / 9
    assert_close(siglip(first, second, bias=bias), expected)


def test_siglip_at_certainty_keeps_its_digits():
    """Pairs at logit 90, all others at -90: N e^-90 per row, which 1 - sigmoid cannot hold in float32."""
    features = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    loss = siglip(features, features, scale=90.0, bias=0.0)
    assert_close(loss.item(), 2 * math.exp(-90.0), rtol=1e-4, atol=0.0)
    loss = siglip(features, -features, scale=90.0, bias=0.0)
    assert_close(loss.item(), 180.0)


@pytest.mark.parametrize("loss", [info_nce, siglip], ids=["info_nce", "siglip"])
def test_lengths_of_features_do_not_count(loss):
    first, second = pairs(7, torch.Generator().manual_seed(4))
    lengths = torch.logspace(-3, 3, 7, dtype=torch.float64)[:, None]
    assert_close(loss(first * lengths, second * lengths.flip(0)), loss(first, second))


def test_info_nce_is_symmetric_and_siglip_in_sum():
    first, second = pairs(7, torch.Generator().manual_seed(5))
    assert_close(info_nce(first, second), info_nce(second, first))
    assert_close(siglip(first, second), siglip(second, first))


def test_info_nce_at_its_limits():
    """Orthogonal pairs, cold: 0; shuffled: 1/τ; all alike: log N, as by chance; one pair alone: 0."""
    basis = torch.eye(4)
    assert_close(info_nce(basis, basis, temperature=0.01), torch.tensor(0.0))
    assert_close(info_nce(basis, basis.roll(1, 0), temperature=0.01), torch.tensor(100.0))
    assert_close(info_nce(torch.ones(4, 3), torch.ones(4, 3)), torch.tensor(math.log(4)))
    assert info_nce(torch.randn(1, 3), torch.randn(1, 3)).item() == 0


@pytest.mark.parametrize("loss", [info_nce, siglip], ids=["info_nce", "siglip"])
def test_a_zero_feature_has_a_finite_gradient(loss):
    first = torch.zeros(3, 2, requires_grad=True)
    value = loss(first, torch.randn(3, 2))
    (gradient,) = torch.autograd.grad(value, first)
    assert value.isfinite()
    assert gradient.isfinite().all()
    assert gradient.abs().max() < 1e3


def test_learned_numbers_have_their_gradient():
    first, second = pairs(5, torch.Generator().manual_seed(6))
    numbers = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (0.5, 3.0, -1.0)]
    assert torch.autograd.gradcheck(lambda t: info_nce(first, second, temperature=t), numbers[:1])
    assert torch.autograd.gradcheck(lambda s, b: siglip(first, second, scale=s, bias=b), numbers[1:])


def test_autocast_leaves_the_products_in_float32():
    """At temperature 0.01 a cosine rounded to bfloat16 is off by 0.4 in the logits."""
    first, second = (features.float() for features in pairs(40, torch.Generator().manual_seed(7)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = info_nce(first, second, temperature=0.01)
    assert_close(loss, info_nce(first, second, temperature=0.01), rtol=1e-5, atol=1e-5)


def test_modules_are_their_functions():
    first, second = pairs(5, torch.Generator().manual_seed(8))
    module = InfoNCELoss(initial_temperature=0.2, reduction="sum").double()
    assert_close(module((first, second)), info_nce(first, second, temperature=0.2, reduction="sum"), rtol=1e-6, atol=0)
    fixed = InfoNCELoss(initial_temperature=0.001, learnable=False)
    assert list(fixed.parameters()) == []
    assert_close(fixed((first, second)), info_nce(first, second, temperature=0.001))
    module = SigLIPLoss(initial_scale=5.0, initial_bias=-2.0, reduction="none").double()
    expected = siglip(first, second, scale=5.0, bias=-2.0, reduction="none")
    assert_close(module((first, second)), expected, rtol=1e-6, atol=0)
    assert repr(SigLIPLoss()) == "SigLIPLoss(initial_scale=10.0, initial_bias=-10.0, gather=True, reduction='mean')"
    assert repr(InfoNCELoss()) == (
        "InfoNCELoss(initial_temperature=0.07, learnable=True, max_scale=100.0, gather=True, reduction='mean')"
    )


def test_a_task_without_target_hands_over_the_pair():
    features = tuple(features.float() for features in pairs(5, torch.Generator().manual_seed(9)))
    loss = InfoNCELoss()
    losses = eq.Tasks([eq.Task("align", loss, target=None)]).losses({"align": features})
    assert_close(losses["align"], info_nce(*features))
    losses["align"].backward()
    assert loss.log_scale.grad is not None


def test_the_scale_is_clipped_at_100_and_comes_back():
    """Beyond the limit the value is that at the limit; the next step downwards has a gradient to follow."""
    first, second = torch.eye(3), torch.eye(3).roll(1, 0)  # wrong partners: a warmer temperature is better
    module = InfoNCELoss()
    with torch.no_grad():
        module.log_scale.fill_(6.0)
    module.eval()
    assert_close(module((first, second)), torch.tensor(100.0))
    assert module.log_scale == 6.0  # evaluation changes nothing
    module.train()
    loss = module((first, second))
    assert_close(loss, torch.tensor(100.0))
    loss.backward()
    assert_close(module.log_scale.item(), math.log(100.0))
    assert_close(module.log_scale.grad, torch.tensor(100.0))  # d scale · 1 / d log scale
    assert_close(
        InfoNCELoss(initial_temperature=0.5, max_scale=2.0)((first, second)), info_nce(first, second, temperature=0.5)
    )


def test_a_loss_may_be_asked_twice_before_one_backward():
    module, first, second = InfoNCELoss(), torch.randn(4, 3, requires_grad=True), torch.randn(4, 3)
    with torch.no_grad():
        module.log_scale.fill_(9.0)
    (module((first, second)) + module((first, 2 * second))).backward()
    assert module.temperature.item() == pytest.approx(0.01)
    assert first.grad.isfinite().all()


A, B = torch.randn(4, 3), torch.randn(4, 3)
MISUSES = [
    (lambda: info_nce(A, B[:3]), r"first and second must have the same shape, got \(4, 3\) and \(3, 3\)"),
    (lambda: info_nce(A, B[:, :2]), r"first and second must have the same shape"),
    (lambda: info_nce(A[0], B[0]), r"first must have shape \[N, D\], got \(3,\)"),
    (lambda: info_nce(A.long(), B), r"first must be floating point.*\.float"),
    (lambda: info_nce(A, B, temperature=0.0), r"temperature must lie in \(0, inf\), got 0.0"),
    (lambda: info_nce(A, B, temperature=torch.tensor(-1.0)), r"temperature must be positive, got -1: learn its log"),
    (lambda: info_nce(A, B, temperature=torch.ones(4)), r"temperature must be a number or .* of one element"),
    (lambda: info_nce(A, B, reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: siglip(A, B, scale=-1.0), r"scale must lie in \(0, inf\), got -1.0"),
    (lambda: siglip(A, B, scale=torch.tensor(0.0)), r"scale must be positive, got 0: learn its logarithm"),
    (lambda: siglip(A, B, bias=torch.ones(4)), r"bias must be a number or .* of one element.*\(4,\)"),
    (lambda: siglip(A, B, bias="low"), r"bias must be a finite number, got 'low'"),
    (lambda: InfoNCELoss()(A), r"features must be a pair \(first, second\).*got Tensor"),
    (lambda: SigLIPLoss()((A, B, A)), r"features must be a pair"),
    (
        lambda: InfoNCELoss(initial_temperature=0.001),
        r"initial_temperature must be at least .* = 0.01, got 0.001",
    ),
    (lambda: SigLIPLoss(initial_bias=float("inf")), r"initial_bias must be a finite number, got inf"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
