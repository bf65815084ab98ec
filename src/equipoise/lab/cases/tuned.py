"""F1 of labels at thresholds that are chosen on validation, and kept for test."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from equipoise.lab.cases.metric import Metric
from equipoise.lab.metrics import metric
from equipoise.lab.metrics.thresholds import best_thresholds


def tuned_f1(validation: Tensor, averages: Sequence[str] = ("macro", "micro", "weighted")) -> tuple[Metric, ...]:
    """One metric for each average of the labels' F1, or "f1" where there is one label.

    Every label is predicted above its best threshold.

    ``compute`` chooses the thresholds on what it is given, which suits validation; ``calibrate`` keeps them for test.

    Args:
        validation: The labels of the validation split, 0 or 1 [N, L].
        averages: Of "macro", "micro" and "weighted".
    """
    if validation.shape[1] == 1:
        return (_tuned("f1", validation),)
    return tuple(_tuned(f"f1-{average}", validation) for average in averages)


def _tuned(name: str, validation: Tensor) -> Metric:
    def compute(outputs: Tensor, targets: Tensor) -> float:
        return _f1(name, outputs, targets, best_thresholds(outputs, targets))

    def calibrate(outputs: Tensor, targets: Tensor) -> Metric:
        thresholds = best_thresholds(outputs, targets)
        return replace(tuned, compute=lambda o, t: _f1(name, o, t, thresholds), calibrate=None)

    constant = compute(torch.zeros_like(validation), validation)
    tuned = Metric(name, True, 1.0, constant, compute, calibrate)
    return tuned


def _f1(name: str, outputs: Tensor, targets: Tensor, thresholds: Tensor) -> float:
    f1 = metric(name) if name == "f1" else metric(name, num_labels=len(thresholds))
    f1.update(outputs.double() - thresholds.to(outputs.device), targets)
    return float(f1.compute())
