"""A case of few arguments: what it finds out of its data, and that the same data make the same case."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset, Subset

import equipoise as eq
from equipoise.lab.cases import Case, Metric, check_case, make_metrics
from equipoise.lab.data.arrays import Arrays
from equipoise.lab.data.split import SPLITS
from equipoise.lab.metrics import metric
from equipoise.lab.models.heads import SharedEncoder, scalar_head
from equipoise.lab.training.evaluate import evaluate, whole_split
from equipoise.losses import PerToken


class Samples(Dataset):
    """As anybody writes a data set."""

    def __init__(self, x, targets):
        self.x, self.targets = x, targets

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return self.x[index], {name: labels[index] for name, labels in self.targets.items()}


def model(names):
    heads = {"height": scalar_head(4), "kind": nn.Linear(4, 3), "marks": nn.Linear(4, 2)}
    return SharedEncoder(nn.Linear(5, 4), {name: heads[name] for name in names})


TASKS = eq.Tasks(
    [
        eq.Task("height", nn.MSELoss()),
        eq.Task("kind", nn.CrossEntropyLoss()),
        eq.Task("marks", nn.BCEWithLogitsLoss()),
    ]
)


def labels_of(x):
    kind = torch.arange(len(x)) % 3
    kind[::7] = -100
    return {"height": x.sum(1), "kind": kind, "marks": (x[:, :2] > 0).float()}


def rows(count=200):
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(0))


def make(data, metrics=(), **more):
    return Case("mine", TASKS, data, model, dict(metrics), 16, **more)


@pytest.fixture(params=[Arrays, Samples])
def case(request):
    x = rows()
    return make(request.param(x, labels_of(x)))


def test_few_arguments_make_a_case_that_can_be_trained(case):
    check_case(case)
    assert case.title == "mine"
    assert {name: [metric.name for metric in found] for name, found in case.metrics.items()} == {
        "height": ["rmse", "r2"],
        "kind": ["accuracy", "f1-macro"],
        "marks": ["f1-macro", "average-precision"],
    }


def test_one_data_set_is_split_without_loss_and_equal_inputs_stay_together():
    x = torch.cat([rows(), rows()])
    case = make(Samples(x, labels_of(x)))
    inputs = {name: [tuple(split[i][0].tolist()) for i in range(len(split))] for name, split in case.data.items()}
    assert sorted(row for split in inputs.values() for row in split) == sorted(map(tuple, x.tolist()))
    assert not set(inputs["train"]) & set(inputs["test"])
    assert len(inputs["train"]) > 0.6 * len(x)


def test_metrics_by_name_are_those_of_make_metrics_on_the_splits():
    x = rows()
    parts = {"train": range(100), "validation": range(100, 150), "test": range(150, 200)}
    data = {name: Subset(Samples(x, labels_of(x)), list(places)) for name, places in parts.items()}
    case = make(data, {"height": ["r2"], "kind": ["f1-macro"]})
    train, validation = (
        {task: labels[parts[split]] for task, labels in labels_of(x).items()} for split in ("train", "validation")
    )
    sizes = {"kind": {"num_classes": 3}, "marks": {"num_labels": 2}}
    expected = make_metrics(TASKS, train, validation, {"height": ["r2"], "kind": ["f1-macro"]}, sizes)
    for task in TASKS.names:
        of = [(m.name, m.higher_is_better, m.trivial) for m in case.metrics[task]]
        assert of == [(m.name, m.higher_is_better, m.trivial) for m in expected[task]]


def test_the_mark_of_the_data_is_that_of_every_sample():
    x = rows()
    other = x.clone()
    other[17, 3] += 1e-3
    marks = [make(Samples(one, labels_of(x))).data_hash for one in (x, x.clone(), other)]
    labels = labels_of(x)
    labels["height"][3] = torch.nan
    assert marks[0] == marks[1]
    assert len({*marks, make(Samples(x, labels)).data_hash}) == 3


def test_nothing_is_read_where_nothing_is_left_open():
    class Unread(Dataset):
        def __len__(self):
            return 9

        def __getitem__(self, index):
            raise AssertionError("read")

    metric = Metric("mse", False, 0.0, 1.0, lambda outputs, targets: 0.0)
    metrics = dict.fromkeys(TASKS.names, (metric,))
    make(dict.fromkeys(("train", "validation", "test"), Unread()), metrics, data_hash="0")


@pytest.mark.parametrize(
    ("make_wrong", "message"),
    [
        (lambda x: make(Samples(x[:2], labels_of(x))), "2 samples leave none for"),
        (lambda x: make({"trian": Samples(x, labels_of(x))}), "data has no 'train'; did you mean 'trian'"),
        (lambda x: make(iter(x)), "data must have a length"),
        (lambda x: make(Samples(x, labels_of(x)), {"height": ["rnse"]}), "task 'height': .*'rmse'"),
        (
            lambda x: make(Samples(x, labels_of(x)), {"height": "rmse"}),
            r"must be a list, such as \['rmse'\], got 'rmse'",
        ),
        (lambda x: make(Samples(x, {"hight": x[:, 0]})), "data has no target 'height' of task 'height'; did you mean"),
        (lambda x: Case("../mine", TASKS, Samples(x, {}), model, {}, 16), "it has no slash, got '../mine'"),
        (
            lambda x: Case("mine", [*TASKS], Samples(x, {}), model, {}, 16),
            r"tasks must be equipoise.Tasks\(\[...\]\), got",
        ),
        (lambda x: Case("mine", TASKS, Samples(x, {}), model, {}, 0), "batch_size must be at least 1, got 0"),
    ],
)
def test_what_is_missing_is_named(make_wrong, message):
    with pytest.raises(ValueError, match=message):
        make_wrong(rows())


def test_a_metric_has_as_many_classes_as_the_network():
    """The network has three classes, the labels of training and validation two."""
    x = rows()
    data = Arrays(x, {**labels_of(x), "kind": torch.arange(len(x)) % 2})
    outputs, targets = torch.eye(3)[[0, 1, 2, 0]], torch.tensor([0, 1, 1, 2])
    for metrics in ({}, {"kind": ["accuracy"]}, {"kind": [metric("accuracy", num_classes=3)]}):
        accuracy = make(data, metrics).made_metrics["kind"][0]
        assert accuracy.compute(outputs, targets) == 2 / 4
    with pytest.raises(
        ValueError, match=r"'accuracy' does not take .*classes 0 to 2, or -100 where missing, got 3: log"
    ):
        accuracy.compute(outputs, torch.tensor([0, 1, 1, 3]))


def test_batches_may_be_padded_each_to_its_own_length():
    """1,500 sequences of a token, but for one of three: the first batch of 1,024 is longer than the second."""
    lengths = [3] + [1] * 1499
    tags = [torch.full((length,), 1) for length in lengths]
    data = [(torch.randn(length, 4), tag) for length, tag in zip(lengths, tags, strict=True)]

    def collate(samples):
        inputs, targets = zip(*samples, strict=True)
        return pad_sequence(inputs, True), {"tag": pad_sequence(targets, True, padding_value=-100)}

    class Tagger(nn.Linear):
        def forward(self, inputs):
            return {"tag": super().forward(inputs)}

    tasks = eq.Tasks([eq.Task("tag", PerToken(nn.CrossEntropyLoss()))])
    case = Case("tags", tasks, dict.fromkeys(SPLITS, data), lambda names: Tagger(4, 2), {}, 16, collate=collate)
    check_case(case)
    network = case.model(("tag",))
    nn.init.constant_(network.bias, 0.0)
    with torch.no_grad():
        network.bias[1] = 1e6
    assert [(m.name, m.trivial) for m in case.made_metrics["tag"]] == [("accuracy", 1.0), ("f1-macro", 1.0)]
    values = evaluate(network, tasks, case.made_metrics, whole_split(case, "test", torch.device("cpu")))
    assert values == {"tag": {"accuracy": 1.0, "f1-macro": 1.0, "loss": 0.0}}
