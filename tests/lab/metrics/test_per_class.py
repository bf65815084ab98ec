"""Metrics of each class or label: names that end in ``-none``, and a row for each class in a study."""

import csv

import numpy as np
import pytest
import torch
import torchmetrics
from torch import nn

import equipoise as eq
from equipoise.lab.cases import Metric, make_metrics
from equipoise.lab.metrics import metric

DRAW = torch.Generator().manual_seed(0)
LOGITS, CLASSES = torch.randn(200, 4, generator=DRAW), torch.randint(4, (200,), generator=DRAW)
MANY, BITS = torch.randn(200, 3, generator=DRAW), torch.randint(2, (200, 3), generator=DRAW)
sklearn = pytest.importorskip("sklearn.metrics")


def value(name, outputs, targets, **options):
    made = metric(name, **options)
    for part in (slice(60), slice(60, None)):
        made.update(outputs[part], targets[part])
    return made.compute().numpy()


@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
def test_counts_of_each_class_are_those_of_scikit_learn(name):
    theirs = getattr(sklearn, f"{name}_score")
    found = value(f"{name}-none", LOGITS, CLASSES, num_classes=4)
    assert found.shape == (4,)
    np.testing.assert_allclose(found, theirs(CLASSES, LOGITS.argmax(1), average=None), rtol=1e-6)
    found = value(f"{name}-none", MANY, BITS, num_labels=3)
    np.testing.assert_allclose(found, theirs(BITS, MANY > 0, average=None), rtol=1e-6)


def test_accuracy_overlap_and_rankings_of_each_class_are_those_of_scikit_learn():
    guess, softmax, bits = LOGITS.argmax(1), LOGITS.double().softmax(1), nn.functional.one_hot(CLASSES)
    each = sklearn.recall_score(CLASSES, guess, average=None)  # of a class, what share is found
    np.testing.assert_allclose(value("accuracy-none", LOGITS, CLASSES, num_classes=4), each, rtol=1e-6)
    labels = (BITS.bool() == (MANY > 0)).double().mean(0)
    np.testing.assert_allclose(value("accuracy-none", MANY, BITS, num_labels=3), labels, rtol=1e-6)
    each = sklearn.jaccard_score(CLASSES, guess, average=None)
    np.testing.assert_allclose(value("iou-none", LOGITS, CLASSES, num_classes=4), each, rtol=1e-6)
    for name, theirs in (("auroc", sklearn.roc_auc_score), ("average-precision", sklearn.average_precision_score)):
        each = [theirs(bits[:, place], softmax[:, place]) for place in range(4)]
        np.testing.assert_allclose(value(f"{name}-none", LOGITS, CLASSES, num_classes=4), each, rtol=1e-6)
        each = [theirs(BITS[:, place], MANY[:, place]) for place in range(3)]
        np.testing.assert_allclose(value(f"{name}-none", MANY, BITS, num_labels=3), each, rtol=1e-6)


def test_one_label_has_no_classes_to_list():
    with pytest.raises(ValueError, match="metric 'f1-none' is for one of several classes"):
        metric("f1-none")


def made(name, **more):
    tasks = eq.Tasks([eq.Task("kind", nn.CrossEntropyLoss())])
    return make_metrics(
        tasks, {"kind": CLASSES}, {"kind": CLASSES[:90]}, {"kind": ["accuracy", name]}, {"kind": {"num_classes": 4}}
    )["kind"]


@pytest.mark.parametrize(
    "one", ["f1-none", "auroc-none", torchmetrics.classification.MulticlassF1Score(num_classes=4, average=None)]
)
def test_a_study_has_a_metric_for_each_class(one):
    first, *each = made(one)
    name = one if isinstance(one, str) else "MulticlassF1Score"
    assert [metric.name for metric in each] == [f"{name}/{place}" for place in range(4)]
    assert first.name == "accuracy"
    softmax, bits, rows = LOGITS.double().softmax(1), nn.functional.one_hot(CLASSES), slice(90)
    if name == "auroc-none":
        expected = [sklearn.roc_auc_score(bits[rows, place], softmax[rows, place]) for place in range(4)]
        assert [metric.trivial for metric in each] == [0.5] * 4
    else:
        expected = sklearn.f1_score(CLASSES[rows], LOGITS[rows].argmax(1), average=None)
        constant = torch.full((90,), int(CLASSES.bincount().argmax()))
        trivial = sklearn.f1_score(CLASSES[rows], constant, average=None, zero_division=0)
        assert [metric.trivial for metric in each] == pytest.approx(list(trivial))
    assert [metric.compute(LOGITS[rows], CLASSES[rows]) for metric in each] == pytest.approx(list(expected))
    assert all(isinstance(metric, Metric) and metric.higher_is_better and metric.perfect == 1.0 for metric in each)


class Matrix(torchmetrics.classification.MulticlassConfusionMatrix):
    higher_is_better, plot_upper_bound = True, 1.0


def test_a_matrix_is_no_metric_of_a_study():
    with pytest.raises(
        ValueError, match=r"metric 'Matrix' gives values of shape \(4, 4\), and a study compares single"
    ):
        made(Matrix(num_classes=4))


def test_a_run_writes_a_row_for_each_class(tmp_path):
    import tiny_classes

    from equipoise.lab.studies import Study, make_plan
    from equipoise.lab.training.workers import Event

    def in_this_process(work, items, jobs):
        for item in items:
            yield Event("finished", item, (work(item, lambda *_: None),))

    study = Study(make_plan(f"{tiny_classes.__file__}:make_case", ["sum"], [0], epochs=1), tmp_path / "study")
    list(study.run(1, execute=in_this_process))
    with (tmp_path / "study" / "runs.csv").open() as file:
        rows = [row["metric"] for row in csv.DictReader(file) if (row["split"], row["method"]) == ("test", "sum")]
    assert sorted(rows) == sorted(["accuracy", "f1-none/0", "f1-none/1", "f1-none/2", "loss", "rmse", "loss"])
