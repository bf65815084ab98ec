"""A criterion that joins its losses in one tensor, balanced as if it had given them by name."""

import warnings

import pytest
import torch
from detection_losses import criterion, make_detector

import equipoise as eq


def batch():
    torch.manual_seed(0)
    model, x = make_detector(), torch.randn(32, 12)
    return model, (x, x[:, :4].abs() + 1, x[:, 4:7].argmax(dim=1))


def gradients(balancer, model, losses):
    model.zero_grad()
    balancer(losses).backward()
    return {name: p.grad.clone() for name, p in model.named_parameters()}


def by_hand(model, joined):
    """UPGrad of the backbone's three gradients; every head has the gradient of the plain sum."""
    shared = list(model["backbone"].parameters())
    rows = [
        torch.cat([g.flatten() for g in torch.autograd.grad(loss, shared, retain_graph=True)]).double()
        for loss in joined
    ]
    jacobian = torch.stack(rows)
    weights = 3 * eq.UPGrad()(jacobian @ jacobian.T, joined.detach().double(), torch.arange(3))  # a sum's
    summed = torch.autograd.grad(joined.sum(), list(model.parameters()), retain_graph=True)
    wanted = {name: g for (name, _), g in zip(model.named_parameters(), summed, strict=True)}
    direction = (weights @ jacobian).float()
    for (name, p), piece in zip(
        model["backbone"].named_parameters(prefix="backbone"), direction.split([p.numel() for p in shared]), strict=True
    ):
        wanted[name] = piece.reshape(p.shape)
    return wanted


def test_the_backbone_is_balanced_and_heads_keep_their_own_gradients():
    model, given = batch()
    joined = criterion(model, *given)
    wanted = by_hand(model, joined)
    balancer = eq.Balancer(eq.UPGrad(), model["backbone"], tasks=["box", "cls", "dfl"])
    found = gradients(balancer, model, dict(zip(balancer.names, joined, strict=True)))
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-5, atol=1e-7)


def test_the_class_head_belongs_to_its_loss_though_losses_are_stacked():
    model, given = batch()
    joined = criterion(model, *given)
    wanted = by_hand(model, joined)["classes.weight"]
    balancer = eq.Balancer(eq.UPGrad(), model, tasks=["box", "cls", "dfl"])
    found = gradients(balancer, model, dict(zip(balancer.names, joined, strict=True)))["classes.weight"]
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-7)


def test_trap_losses_assigned_into_a_tensor_make_heads_look_shared_and_this_is_said():
    """The class head gets a mixture's weight on top of its gradient, though one task alone trains it."""
    model, given = batch()
    balancer = eq.Balancer(eq.UPGrad(), model, tasks=["box", "cls", "dfl"])
    wanted = by_hand(model, assigned(criterion(model, *given)))["classes.weight"]
    with pytest.warns(UserWarning, match="classes.weight.* are reached by several losses"):
        for _ in range(10):
            joined = assigned(criterion(model, *given))
            found = gradients(balancer, model, dict(zip(balancer.names, joined, strict=True)))["classes.weight"]
    assert float((found - wanted).norm() / wanted.norm()) > 1e-2


def assigned(losses):
    joined = torch.zeros(3)
    for place, loss in enumerate(losses):
        joined[place] = loss
    return joined


def test_the_backbone_alone_gives_no_warning():
    model, given = batch()
    balancer = eq.Balancer(eq.UPGrad(), model["backbone"], tasks=["box", "cls", "dfl"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(12):
            gradients(balancer, model, dict(zip(balancer.names, criterion(model, *given), strict=True)))
    assert not caught
