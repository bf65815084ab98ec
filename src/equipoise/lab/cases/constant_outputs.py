"""What the best constant predictor outputs, by the kind of labels: the value that a metric has without a network."""

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from equipoise.lab.metrics import labelled as read
from equipoise.lab.metrics.depth import DepthAbsoluteError, DepthDelta, DepthRelativeError, DepthRMSE, depth_pairs
from equipoise.lab.metrics.labelled import Labelled
from equipoise.lab.metrics.normals import NormalsMean, NormalsMedian, NormalsWithin
from equipoise.lab.metrics.ordinal import Form, level_pairs
from equipoise.missing import labelled


def constant_outputs(metric: Labelled, train: Tensor, validation: Tensor) -> Tensor:
    """The outputs, for every sample of the validation split, of the constant that a metric would fit to train's labels.

    Args:
        metric: By its reading: a mean, log-odds, logits of classes, a level, a depth or a direction.
        train: The labels of the training split; missing ones are left out.
        validation: Those of the validation split, whose shape the outputs have.

    Raises:
        ValueError: No constant is known for such a metric.
    """
    reading, inner = metric.reading, metric.metric
    if metric.token_reading is not None:
        of_tokens = Labelled(inner, metric.token_reading, metric.name, metric.missing)
        flat = constant_outputs(of_tokens, train.flatten(0, 1), validation.flatten(0, 1))
        return flat.reshape(*validation.shape[:2], *flat.shape[1:])
    if reading in (read.classes, read.class_probabilities):
        train, validation = (read.likeliest_class(one, metric.missing) for one in (train, validation))
    present = labelled(train, metric.missing)
    known = train[present]
    if reading is read.values:
        return torch.full_like(validation, float(known.double().mean()), dtype=torch.get_default_dtype())
    if reading in (read.binary, read.ranking):
        return torch.full_like(validation, _log_odds(known), dtype=torch.float64)
    if reading in (read.labels, read.label_ranking):
        each = [_log_odds(train[:, i][present[:, i]]) for i in range(train.shape[1])]
        return _spread(torch.tensor(each, dtype=torch.float64), validation.select(1, 0))
    if reading in (read.classes, read.class_probabilities):
        counts = torch.bincount(known, minlength=getattr(inner, "num_classes", 0))
        return _spread((counts.double() / counts.sum()).log(), validation)
    if isinstance(reading, partial) and reading.func is level_pairs:
        return _level(int(known.median()), int(known.max()) + 1, reading.keywords["form"], validation)
    if isinstance(inner, DepthAbsoluteError | DepthRelativeError | DepthRMSE | DepthDelta):
        depths, _ = depth_pairs(train, train)
        return torch.full_like(validation, float(depths.mean()))
    if isinstance(inner, NormalsMean | NormalsMedian | NormalsWithin):
        pixels = train.movedim(1, -1).flatten(0, -2)
        directions = functional.normalize(pixels[pixels.isfinite().all(dim=1)], dim=1)
        return _spread(directions.mean(dim=0), validation.select(1, 0)).to(validation.dtype)
    raise ValueError(f"metric {metric.name!r} has no constant predictor here: give a Metric with its trivial value")


def _log_odds(labels: Tensor) -> float:
    """The logit of the share of ones, finite where all or none are."""
    return float(torch.logit(labels.double().mean(), eps=1e-12))


def _spread(one: Tensor, like: Tensor) -> Tensor:
    """One output [C] for every element of ``like`` [N, ...] -> [N, C, ...]."""
    return one.expand(*like.shape, len(one)).movedim(-1, 1)


def _level(level: int, levels: int, form: Form, validation: Tensor) -> Tensor:
    if form == "levels":
        return torch.full_like(validation, level)
    if form in ("cumulative", "conditional"):  # certain of every P(level > k), so of their products too
        return _spread((level - torch.arange(levels - 1) - 0.5) * 100.0, validation)
    return _spread(functional.one_hot(torch.tensor(level), levels), validation)
