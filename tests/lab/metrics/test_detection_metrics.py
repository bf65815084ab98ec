import math

import numpy as np
import pytest
import torch

from equipoise.lab.metrics import (
    CentreMeanAveragePrecision,
    DenseIoU,
    MeanAveragePrecision,
    average_precision,
    metric,
)

NONE = [math.nan] * 5


def overlap(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(0, width) * max(0, height)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def nearness(a, b):
    return -math.dist(((a[0] + a[2]) / 2, (a[1] + a[3]) / 2), ((b[0] + b[2]) / 2, (b[1] + b[3]) / 2))


def by_the_book(outputs, targets, fit, least):
    """The loop of the challenge's devkit, a class and a box at a time; the area under its curve by a fine grid."""
    areas = []
    for kind in sorted({row[0] for picture in targets for row in picture if row[0] == row[0]}):
        found = [(row[5], n, row[1:5]) for n, p in enumerate(outputs) for row in p if row[0] == kind]
        there = [[row[1:] for row in picture if row[0] == kind] for picture in targets]
        taken = [[False] * len(boxes) for boxes in there]
        right = []
        for _, n, box in sorted(found, key=lambda one: -one[0]):
            best = max(range(len(there[n])), key=lambda i: fit(box, there[n][i]), default=None)
            hit = best is not None and fit(box, there[n][best]) >= least and not taken[n][best]
            if hit:
                taken[n][best] = True
            right.append(hit)
        objects = sum(map(len, there))
        hits = np.cumsum(right)
        precision, recall = hits / np.arange(1, len(right) + 1), hits / objects
        steps = (np.arange(objects) + 0.5) / objects  # the curve is flat between two recalls
        areas.append(
            np.mean([max((p for p, r in zip(precision, recall, strict=True) if r >= s), default=0) for s in steps])
        )
    return float(np.mean(areas))


def draw(pictures=25, seed=0):
    """Up to 4 objects a picture, and 6 boxes near them or anywhere, scores without ties."""
    generator = torch.Generator().manual_seed(seed)
    kinds = torch.randint(3, (pictures, 4, 1), generator=generator).float()
    corner = 20 * torch.rand(pictures, 4, 2, generator=generator)
    targets = torch.cat([kinds, corner, corner + 4 + 8 * torch.rand(pictures, 4, 2, generator=generator)], dim=2)
    near = targets[:, torch.randint(4, (6,), generator=generator)]
    near[:, :, 1:] += torch.randn(pictures, 6, 1, generator=generator)
    scores = torch.rand(pictures, 6, 1, generator=generator)
    outputs = torch.cat([near, scores], dim=2)
    targets[torch.rand(pictures, 4, generator=generator) < 0.3] = torch.nan
    outputs[torch.rand(pictures, 6, generator=generator) < 0.2] = torch.nan
    outputs[:3, 0, 0] = 7.0  # a class that is never there
    return outputs, targets


@pytest.mark.parametrize(
    ("made", "fit", "least"),
    [
        (MeanAveragePrecision, overlap, 0.5),
        (lambda: metric("map@0.75"), overlap, 0.75),
        (lambda: CentreMeanAveragePrecision(distance=1.5), nearness, -1.5),
    ],
)
def test_it_is_the_loop_of_the_challenge_whatever_the_batches(made, fit, least):
    outputs, targets = draw()
    expected = by_the_book(outputs.tolist(), targets.tolist(), fit, least)
    assert 0.1 < expected < 0.9
    for split in ([25], [1, 3, 21]):
        measured = made()
        for found, there in zip(outputs.split(split), targets.split(split), strict=True):
            measured.update(found, there)
        assert measured.compute().item() == pytest.approx(expected)


def test_average_precision_is_the_area_under_the_hull_of_scikit_learns_curve():
    curve = pytest.importorskip("sklearn.metrics").precision_recall_curve
    generator = torch.Generator().manual_seed(1)
    scores, right = torch.rand(60, generator=generator), torch.rand(60, generator=generator) < 0.4
    precision, recall, _ = curve(right, scores)  # recall falls along it
    hull = np.maximum.accumulate(precision)
    expected = -np.sum(np.diff(recall) * hull[:-1])
    assert average_precision(right[scores.argsort(descending=True)], int(right.sum())).item() == pytest.approx(expected)
    assert average_precision(right[scores.argsort(descending=True)], 3 * int(right.sum())).item() == pytest.approx(
        expected / 3  # what is never found has precision 0
    )


BOX = [0.0, 0, 0, 10, 10]


def value(outputs, targets, **options):
    measured = MeanAveragePrecision(**options)
    measured.update(torch.tensor([outputs]), torch.tensor([targets]))
    return measured.compute().item()


def test_by_hand():
    half = [0.0, 0, 0, 10, 5]  # overlaps the box by exactly 1/2
    assert value([[*half, 0.9]], [BOX]) == 1
    assert value([[*half, 0.9]], [BOX], overlap=0.51) == 0
    assert value([[*BOX, 0.9], [*BOX, 0.8]], [BOX]) == 1  # the second comes after all are found
    assert value([[*half, 0.9], [*BOX, 0.8]], [BOX, [0.0, 20, 20, 30, 30]]) == 0.5  # twice the same object: the surer
    poor, other = [0.0, 0, 0, 10, 4], [0.0, 20, 20, 30, 30]
    assert value([[*BOX, 0.9], [*poor, 0.8], [*BOX, 0.7]], [BOX, other]) == 0.5  # a poor one does not free it again
    assert value([[1.0, *BOX[1:], 0.9], [*BOX, 0.8]], [BOX]) == 1  # a class that is not there counts for none
    assert value([[*BOX[:3], 1, 1, 0.9], [*BOX, 0.8]], [BOX]) == 0.5  # a surer one is wrong
    assert value([[*NONE, math.nan]], [BOX]) == 0
    assert math.isnan(value([[*BOX, 0.9]], [NONE]))


def test_the_object_it_overlaps_most_is_the_one_even_when_taken():
    beside = [0.0, 3, 0, 13, 10]  # overlaps the box by 7 / 13
    assert value([[*BOX, 0.9], [0.0, 1, 0, 11, 10, 0.8]], [BOX, beside]) == 0.5


def test_box_iou_is_that_of_the_boxes_at_cells_with_an_object():
    generator = torch.Generator().manual_seed(2)
    outputs, targets = (1 + 3 * torch.rand(2, 4, 3, 3, generator=generator) for _ in range(2))
    targets[0, :, 1:] = torch.nan
    expected = [
        overlap(*([x - left, y - top, x + right, y + bottom] for left, top, right, bottom in pair))
        for n, y, x in (~targets.isnan()).any(dim=1).nonzero().tolist()
        for pair in [[sides[n, :, y, x].tolist() for sides in (outputs, targets)]]
    ]
    measured = DenseIoU()
    for part in (slice(1), slice(1, 2)):
        measured.update(outputs[part], targets[part])
    assert len(expected) == 3 + 9
    assert measured.compute().item() == pytest.approx(np.mean(expected), rel=1e-5)
    masked = DenseIoU()
    masked.update(outputs[:1], targets[:1], torch.tensor([True, False, False]).expand(1, 3, 3))
    assert masked.compute().item() == pytest.approx(expected[0], rel=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MeanAveragePrecision(0.0), r"overlap must lie in \(0, 1\], got 0.0: 0.5 is usual"),
        (lambda: CentreMeanAveragePrecision(-1.0), "distance must be 0 or more, got -1.0"),
        (lambda: metric("centre-map"), "metric 'centre-map': .*distance"),
        (lambda: value([BOX], [BOX]), r"outputs must be \[N, K, 6\].*targets \[N, M, 5\].*got \(1, 1, 5\) and"),
        (
            lambda: MeanAveragePrecision().update(torch.zeros(2, 1, 6), torch.zeros(1, 1, 5)),
            "outputs and targets must be of the same pictures, got 2 and 1",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
