"""MONAI: ``balancer({"dice": dice(logits, label), "ce": ce(logits, label[:, 0])})``; in place of DiceCELoss."""

import numpy as np
import torch
from monai.data import create_test_image_2d
from monai.losses import DiceLoss
from monai.networks.nets import UNet
from torch.nn import CrossEntropyLoss

import equipoise as eq

CLASSES = 4


def images(count, seed):
    """Noisy pictures [N, 1, 64, 64] of discs, and the class of each pixel [N, 1, 64, 64]."""
    options = {"num_objs": 6, "rad_max": 9, "noise_max": 0.6, "num_seg_classes": CLASSES - 1}
    drawing = np.random.RandomState(seed)
    drawn = [create_test_image_2d(64, 64, **options, random_state=drawing) for _ in range(count)]
    pictures, labels = (torch.stack([torch.from_numpy(pair[k]) for pair in drawn])[:, None] for k in (0, 1))
    return pictures.float(), labels.long()


def trained(method, seed=0, steps=150, count=64):
    torch.manual_seed(seed)
    (pictures, labels), dice = images(count, seed=seed + 1), DiceLoss(to_onehot_y=True, softmax=True)
    net = UNet(2, in_channels=1, out_channels=CLASSES, channels=(8, 16, 32), strides=(2, 2))
    balancer = eq.Balancer(method, net, tasks=["dice", "ce"])
    optimizer = torch.optim.Adam([*net.parameters(), *balancer.parameters()], lr=3e-3)
    for chosen in (torch.randperm(count)[:8] for _ in range(steps)):
        logits, label = net(pictures[chosen]), labels[chosen]
        balancer({"dice": dice(logits, label), "ce": CrossEntropyLoss()(logits, label[:, 0])}).backward()
        optimizer.step()
        optimizer.zero_grad()
    return net, balancer


if __name__ == "__main__":
    print(trained(eq.ConFIG())[1].record)
