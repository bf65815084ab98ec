"""Cost of a task loss beside that of the best-known libraries: forward and backward, time and peak memory.

    pip install -e '.[parity]'
    python benchmarks/losses.py
    python benchmarks/losses.py --only dice focal --repeats 20

Segmentation has logits 8 x 21 x 256 x 256, multilabel 4096 x 1000, a vocabulary 512 x 50,000. The contenders are
called in turn on the same logits; a ratio is the median of the ratios within one repetition. Memory is what one call
allocates at its peak, logits and labels aside, the gradient included.
"""

import argparse
import gc
import random
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import kornia
import monai.losses
import pytorch_metric_learning.losses as metric_learning
import torch
from coral_pytorch.losses import CornLoss, coral_loss
from torch import Tensor
from torch.nn import functional

from equipoise import losses
from peaks import peak_of

_LIMIT = 1.1
Loss = Callable[[Tensor], Tensor]


@dataclass
class Pair:
    """One loss, ours and another's, of the same logits (or features, or predictions)."""

    name: str
    size: tuple[int, ...]
    ours: Loss
    theirs: dict[str, Loss]


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def segmentation() -> list[Pair]:
    size = (8, 21, 256, 256)
    labels = torch.randint(21, (8, 256, 256), generator=_generator())
    column = labels[:, None]
    common = {"softmax": True, "to_onehot_y": True, "batch": True}
    dice = monai.losses.DiceLoss(**common)
    jaccard = monai.losses.DiceLoss(jaccard=True, **common)
    generalised = monai.losses.GeneralizedDiceLoss(**common)
    tversky = monai.losses.TverskyLoss(alpha=0.3, beta=0.7, **common)
    focal = monai.losses.FocalLoss(use_softmax=True, to_onehot_y=True)
    return [
        Pair(
            "dice",
            size,
            lambda x: losses.dice(x, labels),
            {"MONAI": lambda x: dice(x, column), "kornia": lambda x: kornia.losses.dice_loss(x, labels)},
        ),
        Pair("jaccard", size, lambda x: losses.jaccard(x, labels), {"MONAI": lambda x: jaccard(x, column)}),
        Pair(
            "generalised dice",
            size,
            lambda x: losses.generalised_dice(x, labels),
            {"MONAI": lambda x: generalised(x, column)},
        ),
        Pair(
            "tversky",
            size,
            lambda x: losses.tversky(x, labels, alpha=0.3, beta=0.7),
            {
                "MONAI": lambda x: tversky(x, column),
                "kornia": lambda x: kornia.losses.tversky_loss(x, labels, 0.3, 0.7),
            },
        ),
        Pair(
            "focal",
            size,
            lambda x: losses.focal(x, labels),
            {
                "MONAI": lambda x: focal(x, column),
                "kornia": lambda x: kornia.losses.focal_loss(x, labels, alpha=None, reduction="mean"),
            },
        ),
        Pair(
            "lovasz softmax",
            size,
            lambda x: losses.lovasz_softmax(x, labels),
            {"kornia": lambda x: kornia.losses.lovasz_softmax_loss(x, labels)},
        ),
    ]


def multilabel() -> list[Pair]:
    size = (4096, 1000)
    labels = (torch.rand(size, generator=_generator()) < 0.02).float()
    dice = monai.losses.DiceLoss(sigmoid=True, batch=True)
    return [
        Pair(
            "binary focal",
            size,
            lambda x: losses.binary_focal(x, labels, alpha=0.25),
            {
                "kornia": lambda x: kornia.losses.binary_focal_loss_with_logits(
                    x, labels, alpha=0.25, gamma=2.0, reduction="mean"
                )
            },
        ),
        Pair(
            "soft F1",
            size,
            lambda x: losses.soft_f1(x, labels),
            {"MONAI": lambda x: dice(x[..., None], labels[..., None])},
        ),
        Pair(
            "binary dice",
            size,
            lambda x: losses.binary_dice(x, labels),
            {"MONAI": lambda x: dice(x[..., None], labels[..., None])},
        ),
    ]


def others() -> list[Pair]:
    generator = _generator()
    words = torch.randint(50_000, (8, 64), generator=generator)
    numbers = torch.randn(2048, 2048, generator=generator)
    features = torch.randn(1024, 256, generator=generator)
    kinds = torch.randint(64, (512,), generator=generator)
    levels = torch.randint(10, (100_000,), generator=generator)
    ordinal = (levels[:, None] > torch.arange(9)).float()
    corner = torch.rand(200_000, 2, generator=generator)
    boxes = torch.cat([corner, corner + torch.rand(200_000, 2, generator=generator)], dim=1)
    contrast, vicreg, triplet = (
        metric_learning.SupConLoss(temperature=0.1),
        metric_learning.VICRegLoss(),
        metric_learning.TripletMarginLoss(margin=0.2),
    )
    corn, giou = CornLoss(num_classes=10), monai.losses.BoxGIoULoss()
    pairs = torch.arange(len(features))

    def clip(x: Tensor) -> Tensor:
        """As CLIP's authors wrote it; the library's NT-Xent takes 34 GB here."""
        logits = functional.normalize(x, dim=1) @ functional.normalize(features, dim=1).T / 0.07
        return (functional.cross_entropy(logits, pairs) + functional.cross_entropy(logits.T, pairs)) / 2

    def ordered(x: Tensor) -> Tensor:
        """Boxes from any four numbers."""
        return torch.cat([x[:, :2], x[:, :2] + functional.softplus(x[:, 2:])], dim=1)

    return [
        Pair(
            "sequence CE",
            (8, 64, 50_000),
            lambda x: losses.sequence_cross_entropy(x, words),
            {"torch": lambda x: functional.cross_entropy(x.flatten(0, 1), words.flatten())},
        ),
        Pair(
            "robust, alpha 1",
            (2048, 2048),
            lambda x: losses.adaptive_robust(x, numbers, alpha=1.0),
            {"kornia": lambda x: kornia.losses.charbonnier_loss(x, numbers, reduction="mean")},
        ),
        Pair(
            "rmse",
            (2048, 2048),
            lambda x: losses.rmse(x, numbers),
            {"torch": lambda x: functional.mse_loss(x, numbers).sqrt()},
        ),
        Pair(
            "InfoNCE",
            (1024, 256),
            lambda x: losses.info_nce(x, features),
            {"by hand": clip},
        ),
        Pair(
            "supervised contrastive",
            (512, 128),
            lambda x: losses.supervised_contrastive(x, kinds),
            {"metric learning": lambda x: contrast(x, kinds)},
        ),
        Pair(
            "triplet, all",
            (128, 128),
            lambda x: losses.triplet(x, kinds[:128], margin=0.2, mining="all"),
            {"metric learning": lambda x: triplet(x, kinds[:128])},
        ),
        Pair(
            "VICReg",
            (1024, 256),
            lambda x: losses.vicreg(x, features),
            {"metric learning": lambda x: vicreg(x, ref_emb=features)},
        ),
        Pair(
            "CORAL",
            (100_000, 9),
            lambda x: losses.coral(x, levels),
            {"coral-pytorch": lambda x: coral_loss(x, ordinal)},
        ),
        Pair("CORN", (100_000, 9), lambda x: losses.corn(x, levels), {"coral-pytorch": lambda x: corn(x, levels)}),
        Pair(
            "GIoU",
            (200_000, 4),
            lambda x: losses.giou(ordered(x), boxes),
            {"MONAI": lambda x: giou(ordered(x), boxes)},
        ),
    ]


def peak(loss: Loss, logits: Tensor) -> int:
    """Bytes allocated at the peak of forward and backward."""
    logits.grad = None
    return peak_of(lambda: loss(logits).backward())


def seconds(loss: Loss, logits: Tensor) -> float:
    logits.grad = None
    start = time.perf_counter()
    loss(logits).backward()
    return time.perf_counter() - start


def measure(pair: Pair, repeats: int) -> None:
    logits = torch.randn(pair.size, generator=_generator()).requires_grad_()
    contenders = {"ours": pair.ours, **pair.theirs}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for loss in contenders.values():
        seconds(loss, logits)
    gc.collect()
    order = random.Random(0)
    for _ in range(repeats):
        for name in order.sample(list(contenders), len(contenders)):
            times[name].append(seconds(contenders[name], logits))
    memory = {name: peak(loss, logits) for name, loss in contenders.items()}
    of_time = {
        name: statistics.median(a / b for a, b in zip(times["ours"], times[name], strict=True)) for name in pair.theirs
    }
    of_memory = {name: memory["ours"] / memory[name] for name in pair.theirs}
    met = max(*of_time.values(), *of_memory.values()) <= _LIMIT
    against = "   ".join(f"{name}: time {of_time[name]:.2f}, memory {of_memory[name]:.2f}" for name in pair.theirs)
    milliseconds, mebibytes = 1000 * statistics.median(times["ours"]), memory["ours"] / 2**20
    print(
        f"{'met   ' if met else 'MISSED'} {pair.name:23} {milliseconds:8.2f} ms {mebibytes:7.1f} MiB   ours / {against}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="losses by the beginning of their names")
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore")  # of the other libraries
    for pair in [*segmentation(), *multilabel(), *others()]:
        if not options.only or pair.name.startswith(tuple(options.only)):
            measure(pair, options.repeats)


if __name__ == "__main__":
    main()
