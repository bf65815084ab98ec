import pytest
import torch
from torch import nn
from torch.nn import functional

from equipoise import losses
from equipoise.lab.metrics import BY_KIND, default_metrics, default_reading, metric_names
from equipoise.lab.metrics import labelled as read


class MyError(nn.MSELoss):
    pass


@pytest.mark.parametrize(
    ("loss", "names"),
    [
        (nn.CrossEntropyLoss(), ("accuracy", "f1-macro")),
        (functional.cross_entropy, ("accuracy", "f1-macro")),
        (nn.BCEWithLogitsLoss(), ("auroc", "average-precision")),
        (nn.MSELoss(), ("rmse", "r2")),
        (MyError(), ("rmse", "r2")),
        (nn.HuberLoss(), ("mae", "rmse")),
        (losses.dice, ("miou", "accuracy")),
        (losses.SILogLoss(), ("depth-abs-rel", "depth-rmse", "depth-delta1")),
        (losses.berhu, ("depth-abs-rel", "depth-rmse", "depth-delta1")),
        (losses.CosineNormalsLoss(), ("normals-mean", "normals-within-11.25")),
        (losses.CoralLoss(), ("level-mae-cumulative", "within-one-level-cumulative")),
        (losses.corn, ("level-mae-conditional", "within-one-level-conditional")),
        (losses.Mixed({"error": (0.5, nn.MSELoss()), "size": (0.5, nn.L1Loss())}), ("rmse", "r2")),
        (losses.Masked(nn.MSELoss(reduction="none")), ("rmse", "r2")),
        (losses.Penalised(nn.MSELoss(), torch.mean, 0.1), ("rmse", "r2")),
    ],
)
def test_metrics_follow_from_the_loss(loss, names):
    assert default_metrics(loss) == names


def test_every_default_is_in_the_table():
    assert {name for names in BY_KIND.values() for name in names} <= set(metric_names())


def test_outputs_are_read_as_the_loss_reads_them():
    assert default_reading(nn.CrossEntropyLoss()) is read.classes
    assert default_reading(nn.BCEWithLogitsLoss()) is read.binary
    assert default_reading(nn.L1Loss()) is default_reading(lambda outputs, targets: outputs.sum()) is read.values


def test_of_an_unknown_loss_nothing_follows():
    with pytest.raises(ValueError, match=r"no metric follows from the loss CosineEmbeddingLoss\(\): name one"):
        default_metrics(torch.nn.CosineEmbeddingLoss())
