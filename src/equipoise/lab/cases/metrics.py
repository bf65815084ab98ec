"""The metrics of the cases, by torchmetrics, with the value of a constant predictor."""

import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc, multiclass_accuracy
from torchmetrics.functional.regression import mean_squared_error

from equipoise.lab.cases.case import Metric


def rmse(train: Tensor, validation: Tensor) -> Metric:
    """Root of the mean squared error; the constant is the mean of the training targets [N]."""

    def compute(outputs: Tensor, targets: Tensor) -> float:
        return mean_squared_error(outputs, targets, squared=False).item()

    trivial = compute(train.mean().expand_as(validation), validation)
    return Metric("rmse", higher_is_better=False, perfect=0.0, trivial=trivial, compute=compute)


def auroc() -> Metric:
    """Area under the ROC curve of logits [N] against labels 0 or 1 [N]; any constant has 0.5."""

    def compute(outputs: Tensor, targets: Tensor) -> float:
        ranks = outputs.unique(return_inverse=True)[1].double()  # a float32 sigmoid would tie all logits above 17
        return binary_auroc(ranks / ranks.max().clamp(min=1), targets.long()).item()

    return Metric("auroc", higher_is_better=True, perfect=1.0, trivial=0.5, compute=compute)


def accuracy(train: Tensor, validation: Tensor, classes: int) -> Metric:
    """Share of samples whose largest logit [N, classes] is the label [N]; the constant is train's mode."""

    def compute(outputs: Tensor, targets: Tensor) -> float:
        return multiclass_accuracy(outputs, targets, num_classes=classes, average="micro").item()

    mode = torch.bincount(train, minlength=classes).argmax()
    trivial = (validation == mode).double().mean().item()
    return Metric("accuracy", higher_is_better=True, perfect=1.0, trivial=trivial, compute=compute)
