"""Dice and cross-entropy of MONAI as two tasks, against DiceCELoss and against MGDA by hand."""

import pytest
import torch

import equipoise as eq

pytest.importorskip("monai", reason='needs pip install "equipoise[parity]"')
from monai.losses import DiceCELoss, DiceLoss
from monai.metrics import DiceMetric
from monai.networks.nets import UNet
from monai.networks.utils import one_hot
from monai_dice_ce import CLASSES, images, trained
from torch.nn import CrossEntropyLoss

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def step(method=None, dice_weight=1.0):
    """The gradient of one step of a double-precision U-Net, by a balancer or by DiceCELoss."""
    torch.manual_seed(0)
    net = UNet(2, in_channels=1, out_channels=CLASSES, channels=(4, 8), strides=(2,)).double()
    pictures, labels = images(4, seed=1)
    logits = net(pictures.double())
    parts = {
        "dice": dice_weight * DiceLoss(to_onehot_y=True, softmax=True)(logits, labels),
        "ce": CrossEntropyLoss()(logits, labels[:, 0]),
    }
    if method == "by hand":  # twice the point of least norm of two gradients; both losses reach everything
        one, two = (
            torch.cat([g.flatten() for g in torch.autograd.grad(part, list(net.parameters()), retain_graph=True)])
            for part in parts.values()
        )
        weight = min(max(float((two - one) @ two / (two - one).square().sum()), 0.0), 1.0)
        assert 0 < weight < 1
        return 2 * weight * one + (2 - 2 * weight) * two
    whole = DiceCELoss(to_onehot_y=True, softmax=True)(logits, labels)
    loss = whole if method is None else eq.Balancer(method, net, tasks=["dice", "ce"])(parts)
    loss.backward()
    return torch.cat([p.grad.flatten() for p in net.parameters()])


@torch.no_grad()
def dice_of(net, count):
    """Mean Dice of the three kinds of discs on other pictures."""
    pictures, labels = images(count, seed=0)
    found = one_hot(net.eval()(pictures).argmax(dim=1, keepdim=True), CLASSES)
    return float(DiceMetric(include_background=False)(found, one_hot(labels, CLASSES)).nanmean())


def test_the_plain_sum_is_dice_ce_loss():
    torch.testing.assert_close(step(eq.Sum()), step())


def test_a_gradient_method_is_as_by_hand():
    torch.testing.assert_close(step(eq.MGDA(), 9.0), step("by hand", 9.0), rtol=1e-9, atol=1e-12)


def test_the_example_learns():
    net, balancer = trained(eq.ConFIG(), steps=80, count=16)
    assert {*balancer.record.weights} == {"dice", "ce"}
    assert dice_of(net, count=8) > 0.6
