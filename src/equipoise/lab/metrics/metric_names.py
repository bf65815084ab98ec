"""The names of all metrics as a type; written by ``python docs/write.py``."""

from typing import Literal

# fmt: off
MetricName = Literal[
    "accuracy", "precision", "recall", "f1", "precision-micro", "precision-macro", "precision-weighted",
    "precision-none", "recall-micro", "recall-macro", "recall-weighted", "recall-none", "f1-micro", "f1-macro",
    "f1-weighted", "f1-none", "accuracy-none", "auroc", "auroc-none", "average-precision", "average-precision-none",
    "confusion-matrix", "iou", "iou-none", "miou", "calibration-error", "mse", "rmse", "mae", "r2", "level-mae",
    "level-mae-cumulative", "level-mae-conditional", "level-mae-classes", "within-one-level",
    "within-one-level-cumulative", "within-one-level-conditional", "within-one-level-classes", "quadratic-kappa",
    "quadratic-kappa-cumulative", "quadratic-kappa-conditional", "quadratic-kappa-classes", "depth-mae",
    "depth-abs-rel", "depth-rmse", "depth-delta1", "depth-delta2", "depth-delta3", "normals-mean", "normals-median",
    "normals-within-11.25", "normals-within-22.5", "normals-within-30", "map@0.5", "map@0.75", "centre-map", "box-iou",
    "bleu", "rouge-1", "rouge-2", "rouge-l", "recall@1", "recall@5", "recall@10", "recall@k",
]
