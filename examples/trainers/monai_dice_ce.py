"""MONAI: Dice and cross-entropy of one segmentation as two tasks, by any method instead of DiceCELoss's constants."""

import numpy as np
import torch
from monai.data import create_test_image_2d
from monai.losses import DiceLoss
from monai.metrics import DiceMetric
from monai.networks.nets import UNet
from monai.networks.utils import one_hot
from torch.nn import CrossEntropyLoss

import equipoise as eq

CLASSES = 4


def images(count, seed):
    """Noisy pictures [N, 1, 64, 64] of discs, and the class of each pixel [N, 1, 64, 64]."""
    drawing = np.random.RandomState(seed)
    options = {"num_objs": 6, "rad_max": 9, "noise_max": 0.6, "num_seg_classes": 3, "random_state": drawing}
    drawn = [create_test_image_2d(64, 64, **options) for _ in range(count)]
    pictures, labels = (torch.stack([torch.from_numpy(pair[k]) for pair in drawn])[:, None] for k in (0, 1))
    return pictures.float(), labels.long()


def trained(method, seed=0, steps=150, count=64):
    """A small U-Net and its balancer."""
    torch.manual_seed(seed)
    pictures, labels = images(count, seed=seed + 1)
    net = UNet(2, in_channels=1, out_channels=CLASSES, channels=(8, 16, 32), strides=(2, 2))
    dice, cross_entropy = DiceLoss(to_onehot_y=True, softmax=True), CrossEntropyLoss()
    balancer = eq.Balancer(method, net, tasks=["dice", "ce"])
    optimizer = torch.optim.Adam([*net.parameters(), *balancer.parameters()], lr=3e-3)
    for _ in range(steps):
        chosen = torch.randperm(count)[:8]
        logits = net(pictures[chosen])
        losses = {"dice": dice(logits, labels[chosen]), "ce": cross_entropy(logits, labels[chosen][:, 0])}
        balancer(losses).backward()
        optimizer.step()
        optimizer.zero_grad()
    return net, balancer


@torch.no_grad()
def dice_of(net, count=32):
    """Mean Dice of the three kinds of discs on other pictures."""
    pictures, labels = images(count, seed=0)
    found = one_hot(net.eval()(pictures).argmax(dim=1, keepdim=True), CLASSES)
    return float(DiceMetric(include_background=False)(found, one_hot(labels, CLASSES)).nanmean())


def main() -> None:
    for name in ("sum", "config", "nash-mtl"):
        net, balancer = trained(eq.method(name))
        print(f"{name}: Dice {dice_of(net):.3f}, weights {balancer.record.weights}")


if __name__ == "__main__":
    main()
