"""How good a task's outputs are: torchmetrics by name, and what it lacks; missing labels and masks everywhere."""

from equipoise.lab import extra  # noqa: F401
from equipoise.lab.metrics.defaults import BY_KIND, default_metrics, default_reading, is_per_token, kind_of
from equipoise.lab.metrics.depth import DepthAbsoluteError, DepthDelta, DepthRelativeError, DepthRMSE
from equipoise.lab.metrics.detection import (
    CentreMeanAveragePrecision,
    DenseIoU,
    MeanAveragePrecision,
    average_precision,
)
from equipoise.lab.metrics.labelled import Labelled, per_token
from equipoise.lab.metrics.normals import NormalsMean, NormalsMedian, NormalsWithin, normal_angles
from equipoise.lab.metrics.ordinal import LevelDistance, LevelsWithin
from equipoise.lab.metrics.retrieval import RetrievalRecallAt, recall_at
from equipoise.lab.metrics.table import higher_is_better, metric, metric_names, takes_size

__all__ = [
    "BY_KIND",
    "CentreMeanAveragePrecision",
    "DenseIoU",
    "DepthAbsoluteError",
    "DepthDelta",
    "DepthRMSE",
    "DepthRelativeError",
    "Labelled",
    "LevelDistance",
    "LevelsWithin",
    "MeanAveragePrecision",
    "NormalsMean",
    "NormalsMedian",
    "NormalsWithin",
    "RetrievalRecallAt",
    "average_precision",
    "default_metrics",
    "default_reading",
    "higher_is_better",
    "is_per_token",
    "kind_of",
    "metric",
    "metric_names",
    "normal_angles",
    "per_token",
    "recall_at",
    "takes_size",
]
