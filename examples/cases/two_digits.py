"""Two handwritten digits side by side, a task each, and the sum of them: a small convolutional network.

    equipoise compare examples/cases/two_digits.py:make_case --methods sum,uw,pcgrad --seeds 3

The digits are scikit-learn's, 8x8. Of a tenth of the pictures nobody knows the left digit.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

import equipoise as eq
from equipoise.lab.cases import Case
from equipoise.lab.data.arrays import Arrays
from equipoise.lab.models.heads import SharedEncoder, scalar_head

SPLITS = {"train": (0, 1000, 3000), "validation": (1000, 1400, 800), "test": (1400, 1797, 800)}  # by who wrote them


def pictures(first, last, count):
    """Pictures [N, 1, 8, 16] of pairs of these digits, and what is on them."""
    digits, generator = load_digits(), torch.Generator().manual_seed(first)
    images = torch.tensor(digits.images, dtype=torch.float32) / 16
    labels = torch.tensor(digits.target)
    left, right = torch.randint(first, last, (2, count), generator=generator)
    unknown = torch.rand(count, generator=generator) < 0.1
    targets = {
        "left": labels[left].masked_fill(unknown, -100),
        "right": labels[right],
        "sum": (labels[left] + labels[right]).float(),
    }
    return Arrays(torch.cat([images[left], images[right]], dim=2).unsqueeze(1), targets)


def model(names):
    encoder = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 4 * 8, 64),
        nn.ReLU(),
    )
    heads = {"left": nn.Linear(64, 10), "right": nn.Linear(64, 10), "sum": scalar_head(64, offset=9.0)}
    return SharedEncoder(encoder, {name: heads[name] for name in names})


def make_case():
    tasks = eq.Tasks(
        [eq.Task("left", nn.CrossEntropyLoss()), eq.Task("right", nn.CrossEntropyLoss()), eq.Task("sum", nn.MSELoss())]
    )
    data = {name: pictures(*split) for name, split in SPLITS.items()}
    return Case("two-digits", tasks, data, model, batch_size=64, learning_rate=2e-3)
