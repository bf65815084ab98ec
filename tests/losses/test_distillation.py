"""Distillation equals its definitions, and gives the teacher no gradient."""

import numpy as np
import pytest
import torch
from laws import Case, laws_for
from torch import distributions
from torch.testing import assert_close

from equipoise.losses.distillation import (
    AttentionTransferLoss,
    DistillationLoss,
    FeatureDistillationLoss,
    attention_transfer,
    distillation_kl,
    feature_distillation,
)


def logits(n, generator):
    return tuple(3 * torch.randn(n, 5, generator=generator, dtype=torch.float64) for _ in range(2))


def dense_logits(n, generator):
    return tuple(3 * torch.randn(n, 4, 2, 3, generator=generator, dtype=torch.float64) for _ in range(2))


def activations(n, generator):
    student = torch.randn(n, 2, 3, 3, generator=generator, dtype=torch.float64)
    return student, torch.randn(n, 4, 3, 3, generator=generator, dtype=torch.float64)


CASES = [
    Case("distillation_kl", distillation_kl, logits),
    Case("distillation_kl, dense", distillation_kl, dense_logits, keywords={"temperature": 5.0}),
    Case("feature_distillation", feature_distillation, dense_logits),
    Case("attention_transfer", attention_transfer, activations),
]
test_laws, test_compiles = laws_for(CASES)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_kl_is_that_of_torch_distributions(temperature):
    student, teacher = logits(9, torch.Generator().manual_seed(1))
    of = [distributions.Categorical(logits=values / temperature) for values in (teacher, student)]
    expected = temperature**2 * distributions.kl_divergence(*of)
    assert_close(distillation_kl(student, teacher, temperature=temperature, reduction="none"), expected)


def test_dense_kl_is_that_of_all_places():
    student, teacher = dense_logits(2, torch.Generator().manual_seed(2))
    rows = [values.movedim(1, -1).flatten(0, 2) for values in (student, teacher)]
    assert_close(distillation_kl(student, teacher), distillation_kl(*rows))


def test_at_high_temperature_it_matches_centred_logits():
    """Hinton et al. (4): the gradient tends to (student - teacher) / C, both with mean 0."""
    student, teacher = logits(3, torch.Generator().manual_seed(3))
    student, teacher = (values - values.mean(dim=1, keepdim=True) for values in (student, teacher))
    student.requires_grad_()
    loss = distillation_kl(student, teacher, temperature=1e4, reduction="sum")
    assert_close(torch.autograd.grad(loss, student)[0], (student - teacher).detach() / 5, rtol=1e-2, atol=1e-3)


def test_kl_at_its_limits():
    """The same: 0 and no slope. Certain of opposite classes: the logit's gap."""
    same = torch.tensor([[4.0, -1.0, 0.0]], requires_grad=True)
    loss = distillation_kl(same, same.detach())
    assert_close(loss.item(), 0.0)
    assert_close(torch.autograd.grad(loss, same)[0], torch.zeros(1, 3))
    student = torch.tensor([[300.0, 0.0]], requires_grad=True)
    loss = distillation_kl(student, torch.tensor([[0.0, 300.0]]), temperature=1.0)
    assert_close(loss.item(), 300.0)
    assert_close(torch.autograd.grad(loss, student)[0], torch.tensor([[1.0, -1.0]]))


def test_features_are_half_their_squared_distance():
    """½ (1 + 4 + 4) and ½ · 0."""
    student = torch.tensor([[1.0, 2.0, 2.0], [0.0, 1.0, 0.0]])
    teacher = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert_close(feature_distillation(student, teacher, reduction="none"), torch.tensor([4.5, 0.0]))
    assert_close(feature_distillation(student, teacher).item(), 2.25)
    assert_close(feature_distillation(student, teacher, reduction="sum").item(), 4.5)


def test_attention_in_numpy():
    student, teacher = activations(4, torch.Generator().manual_seed(4))
    expected = []
    for s, t in zip(student.numpy(), teacher.numpy(), strict=True):
        maps = [(values**2).sum(axis=0).ravel() for values in (s, t)]
        expected.append(np.linalg.norm(maps[0] / np.linalg.norm(maps[0]) - maps[1] / np.linalg.norm(maps[1])))
    assert_close(attention_transfer(student, teacher, reduction="none"), torch.tensor(np.array(expected)))


def test_attention_ignores_scale_sign_and_channels():
    student, teacher = activations(4, torch.Generator().manual_seed(5))
    expected = attention_transfer(student, teacher)
    assert_close(attention_transfer(-100 * student, teacher.repeat(1, 3, 1, 1)), expected)
    assert_close(attention_transfer(student.flatten(2), teacher.flatten(2)), expected)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_attention_at_its_limits(value):
    """Equal maps, of zeros as well: 0, and a slope of 0."""
    student = torch.full((2, 3, 2, 2), value, requires_grad=True)
    loss = attention_transfer(student, student.detach())
    assert loss == 0
    assert torch.equal(torch.autograd.grad(loss, student)[0], torch.zeros(2, 3, 2, 2))
    dead = torch.zeros(2, 3, 2, 2, requires_grad=True)
    loss = attention_transfer(dead, torch.rand(2, 3, 2, 2) + 1)
    assert_close(loss.item(), 1.0)
    assert torch.autograd.grad(loss, dead)[0].isfinite().all()


@pytest.mark.parametrize("loss", [distillation_kl, feature_distillation, attention_transfer])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_the_teacher_gets_no_gradient(loss, reduction):
    student, teacher = (torch.randn(3, 4, 2, requires_grad=True) for _ in range(2))
    loss(student, teacher, reduction=reduction).sum().backward()
    assert student.grad is not None
    assert teacher.grad is None


def test_modules_are_their_functions():
    student, teacher = dense_logits(3, torch.Generator().manual_seed(6))
    module = DistillationLoss(temperature=3.0, reduction="sum")
    assert_close(module(student, teacher), distillation_kl(student, teacher, temperature=3.0, reduction="sum"))
    assert repr(module) == "DistillationLoss(temperature=3.0, reduction='sum')"
    for module, function in (
        (FeatureDistillationLoss("none"), feature_distillation),
        (AttentionTransferLoss("none"), attention_transfer),
    ):
        assert_close(module(student, teacher), function(student, teacher, reduction="none"))


A, B = torch.randn(4, 3), torch.randn(4, 3)
MISUSES = [
    (lambda: distillation_kl(A, B[:, :2]), r"student_logits and teacher_logits must have the same shape"),
    (lambda: distillation_kl(A, torch.tensor([0, 1, 2, 0])), r"teacher_logits must be floating point.*\.float"),
    (lambda: distillation_kl(A, B.softmax(dim=1)), r"logits are probabilities"),
    (lambda: distillation_kl(A.softmax(dim=1), B), r"logits are probabilities"),
    (lambda: distillation_kl(A[0], B[0]), r"student_logits must have shape \[N, C, ...\], got \(3,\)"),
    (lambda: distillation_kl(A, B, temperature=0.0), r"temperature must lie in \(0, inf\), got 0.0"),
    (lambda: distillation_kl(A, B, reduction="batchmean"), r"reduction must be .*got 'batchmean'"),
    (lambda: DistillationLoss(temperature=-1.0), r"temperature must lie in \(0, inf\), got -1.0"),
    (lambda: feature_distillation(A, B[:3]), r"student and teacher must have the same shape"),
    (lambda: feature_distillation(A, B, reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: feature_distillation(A[:, 0], B[:, 0]), r"student must have shape \[N, D\] or .*got \(4,\)"),
    (lambda: attention_transfer(A, B), r"student must have shape \[N, C, ...\] with places.*got \(4, 3\)"),
    (lambda: attention_transfer(A[..., None], B[:3, :, None]), r"student and teacher must agree but for channels"),
    (
        lambda: attention_transfer(torch.randn(2, 3, 4, 4), torch.randn(2, 3, 8, 8)),
        r"student and teacher must agree.*interpolate",
    ),
    (lambda: AttentionTransferLoss(reduction="avg"), r"reduction must be .*got 'avg'"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
