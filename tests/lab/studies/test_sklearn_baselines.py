"""Models of scikit-learn beside a study's networks: what they are by kind of task, and where their scores live."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from scipy.sparse import csr_array
from torch import nn

from equipoise.lab.cases import Case, Metric
from equipoise.lab.cases.table import TableCase
from equipoise.lab.data.arrays import Arrays
from equipoise.lab.data.columns import Target
from equipoise.lab.evaluation import TaskMetric
from equipoise.lab.evaluation.cautions import baseline_cautions
from equipoise.lab.evaluation.folder import read_rows, read_study
from equipoise.lab.studies import Study, make_plan, sklearn_baselines
from equipoise.lab.studies.progress import announce
from equipoise.lab.studies.sklearn_baselines import train_baselines
from equipoise.losses import CoralLoss, CornLoss, PerToken
from equipoise.task import Task
from equipoise.tasks import Tasks

sklearn = pytest.importorskip("sklearn", reason="needs scikit-learn, of the extra baselines")

SIZES = {"train": 300, "validation": 100, "test": 200}
INPUTS = {
    split: torch.randn(size, 6, generator=torch.Generator().manual_seed(place))
    for place, (split, size) in enumerate(SIZES.items())
}


def no_network(names):
    raise AssertionError("a baseline trains no network")


def case_of(loss, make_labels, metrics=("rmse",), features=lambda split: INPUTS[split].numpy(), **options):
    """One task whose labels follow from the inputs [N, 6]."""
    data = {split: Arrays(rows, {"a": make_labels(rows)}) for split, rows in INPUTS.items()}
    return Case("made", Tasks([Task("a", loss)]), data, no_network, {"a": [*metrics]}, 16, features=features, **options)


def scores(case):
    return {one.baseline.split(" ")[0]: one.value for one in train_baselines(case)}


def missing(labels, nothing):
    """Every third label is missing."""
    return torch.where(torch.arange(len(labels)) % 3 == 0, torch.tensor(nothing, dtype=labels.dtype), labels)


def test_of_numbers_the_linear_model_finds_a_line_and_boosting_a_bend():
    straight = case_of(nn.MSELoss(), lambda x: missing(100.0 + 50.0 * x[:, 0], float("nan")))
    assert scores(straight)["linear"] < 0.01 * 50.0
    bent = scores(case_of(nn.HuberLoss(), lambda x: x[:, 0].abs()))
    assert bent["boosting"] < 0.2 < 0.5 < bent["linear"]


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (lambda split: INPUTS[split].numpy()[:50], r"must be numbers \[300, D\], got \(50, 6\)"),
        (lambda split: INPUTS[split][:, 0].numpy(), r"must be numbers \[300, D\], got \(300,\)"),
        (lambda split: INPUTS[split].numpy() / np.float32(0.0), "not finite"),
    ],
)
def test_features_that_do_not_fit_are_named(features, message):
    with pytest.raises(ValueError, match=f"features of the train split.*{message}.*--no-sklearn"):
        scores(case_of(nn.MSELoss(), lambda x: x[:, 0], features=features))


def test_features_may_be_lists():
    rows = {split: inputs.tolist() for split, inputs in INPUTS.items()}
    assert scores(case_of(nn.MSELoss(), lambda x: x[:, 0], features=rows.__getitem__))["linear"] < 0.01


def test_of_two_answers_scores_are_log_odds():
    found = scores(case_of(nn.BCEWithLogitsLoss(), lambda x: missing((x[:, 1] > 0.5).float(), float("nan")), ["auroc"]))
    assert found["linear"] > 0.99
    assert found["boosting"] > 0.98
    # a decision at 0: accuracy needs the log-odds of 1, and not the other way round or a probability
    found = scores(case_of(nn.BCEWithLogitsLoss(), lambda x: (x[:, 1] > 0.5).float(), ["accuracy"]))
    assert min(found.values()) > 0.95


def test_the_class_of_missing_labels_is_no_class():
    def labels(x):
        return missing((x[:, 0] > 0).long(), 255)

    assert min(scores(case_of(nn.CrossEntropyLoss(ignore_index=255), labels, ["accuracy"])).values()) > 0.95


def test_of_classes_there_may_be_some_without_a_label_or_a_training_row():
    def labels(x):
        classes = 2 * (x[:, 0] > 0).long()  # no row has class 1
        return missing(classes, -100)

    found = scores(case_of(nn.CrossEntropyLoss(), labels, ["accuracy"]))
    assert min(found.values()) > 0.95


def test_of_several_labels_each_is_learned_by_the_rows_that_have_it_and_thresholds_are_of_validation():
    def labels(x):
        both = torch.stack([(x[:, 0] > 0.8).float(), (x[:, 1] > 0).float()], dim=1)
        both[::4, 0] = float("nan")
        return both

    case = case_of(nn.BCEWithLogitsLoss(), labels, ["average-precision"])
    assert min(scores(case).values()) > 0.95
    on_validation = []

    def calibrate(outputs, targets):
        on_validation.append(len(targets))
        return Metric("chosen", True, 1.0, 0.0, lambda outputs, targets: 1000.0 + len(targets))

    chooses = Metric("m", True, 1.0, 0.0, lambda outputs, targets: 0.5, calibrate)
    assert scores(replace(case, metrics={"a": (chooses,)})) == {"linear": 1200.0, "boosting": 1200.0}
    assert on_validation == [100, 100]


@pytest.mark.parametrize("name", ["level-mae-conditional", "within-one-level-conditional"])
def test_of_levels_the_median_of_the_predicted_distribution_counts(name):
    level = case_of(CornLoss(), lambda x: (1.5 * x[:, 0] + 2).round().clamp(0, 4).long(), [name])
    found = scores(level)
    assert max(found.values()) < 0.35 if "mae" in name else min(found.values()) > 0.99


@pytest.mark.parametrize(
    ("loss", "name", "shares", "expected"),
    [  # of 20 rows so many have level 0 and 1; the distance to the median
        (CornLoss(), "level-mae-conditional", (4, 5), 0.2 * 2 + 0.25),  # P(> 1) = .55 is P(> 1 | > 0) = .69
        (CoralLoss(), "level-mae-cumulative", (6, 6), 0.3 + 0.4),  # P(> 1) = .4 is P(> 1 | > 0) = .57
    ],
)
def test_where_inputs_say_nothing_every_level_is_the_median(loss, name, shares, expected):
    def labels(x):
        place = torch.arange(len(x)) % 20
        return (place >= shares[0]).long() + (place >= sum(shares)).long()

    case = case_of(loss, labels, [name], features=lambda split: 0.0 * INPUTS[split].numpy())
    assert scores(case) == pytest.approx({"linear": expected, "boosting": expected})


def test_what_has_no_features_or_no_known_kind_is_left_out():
    numbers = lambda x: x[:, 0]  # noqa: E731
    assert scores(case_of(nn.MSELoss(), numbers, features=None)) == {}
    assert scores(case_of(lambda output, target: output.sum(), numbers)) == {}
    shares = case_of(nn.BCEWithLogitsLoss(), lambda x: torch.rand(len(x)), ["accuracy"])
    assert scores(replace(shares, metrics={"a": shares.metrics["a"]})) == {}
    tokens = Arrays(INPUTS["train"], {"a": torch.zeros(300, 5)})  # of the shape of five labels
    three = dict.fromkeys(SIZES, tokens)
    loss = PerToken(nn.BCEWithLogitsLoss())
    assert scores(replace(shares, tasks=Tasks([Task("a", loss)]), data=three)) == {}


def test_wide_and_sparse_inputs_have_the_linear_model_alone(monkeypatch):
    sparse = case_of(nn.MSELoss(), lambda x: x[:, 0], features=lambda split: csr_array(INPUTS[split].numpy()))
    assert [*scores(sparse)] == ["linear", "boosting"]
    monkeypatch.setattr(sklearn_baselines, "MOST_COLUMNS", 5)
    assert [*scores(sparse)] == ["linear"]


def test_many_rows_tasks_and_classes_are_limited_and_the_limits_told(monkeypatch):
    monkeypatch.setattr(sklearn_baselines, "MOST_ROWS", 50)
    monkeypatch.setattr(sklearn_baselines, "MOST_TASKS", 2)
    names = ("a", "b", "c")
    case = case_of(nn.MSELoss(), lambda x: x[:, 0])
    data = {split: Arrays(x, {name: missing(x[:, 0], float("nan")) for name in names}) for split, x in INPUTS.items()}
    case = replace(
        case, tasks=Tasks([Task(n, nn.MSELoss()) for n in names]), data=data, metrics={n: ["rmse"] for n in names}
    )
    found = [*train_baselines(case)]
    assert [(one.task, one.rows, one.of) for one in found] == [(name, 50, 200) for name in "aabb"]
    assert found == [*train_baselines(case)]
    monkeypatch.setattr(sklearn_baselines, "MOST_CLASSES", 2)
    several = case_of(nn.CrossEntropyLoss(), lambda x: (x[:, 0] > 0).long() + (x[:, 1] > 0).long(), ["accuracy"])
    assert scores(several) == {}


ACCURACY = TaskMetric("a", "accuracy", True, 1.0, 0.5)
ERROR = TaskMetric("b", "rmse", False, 0.0, 2.0)
NETWORKS = {
    "single-task": {"a": {0: 0.70, 1: 0.71, 2: 0.72}, "b": {0: 1.0, 1: 1.1, 2: 1.2}},
    "sum": {"a": {0: 0.74, 1: 0.75, 2: 0.73}, "b": {0: 1.1, 1: 1.1, 2: 1.1}},
}


def test_a_baseline_that_beats_every_network_by_more_than_noise_is_told_first():
    told = baseline_cautions({"linear": {"a": 0.76}, "boosting": {"a": 0.82, "b": 1.5}}, NETWORKS, [ACCURACY, ERROR])
    assert told == (
        "boosting reaches accuracy 0.8200 on a, the best network 0.7400: improve the network before comparing methods.",
    )
    (both,) = baseline_cautions({"boosting": {"a": 0.82, "b": 0.2}}, NETWORKS, [ACCURACY, ERROR])
    assert both.startswith("boosting reaches rmse 0.2000 on b, the best network 1.1000 (and 1 more task like it): ")
    assert len(both.split()) <= 25


@pytest.mark.parametrize(
    ("baselines", "networks"),
    [
        ({}, NETWORKS),
        ({"boosting": {"a": 0.76}}, NETWORKS),  # within half the interval of the sum, .0248
        ({"boosting": {"b": 0.9}}, NETWORKS),  # of single-task, whose interval is wide
        ({"boosting": {"a": 0.82}}, {name: {"a": {0: 0.7}} for name in NETWORKS}),  # one seed
        ({"boosting": {"a": 0.704}}, {"sum": {"a": {0: 0.7, 1: 0.7, 2: 0.7}}}),  # .8 % of the way from .5 to 1
    ],
)
def test_no_caution_where_a_network_may_be_as_good(baselines, networks):
    assert baseline_cautions(baselines, networks, [ACCURACY, ERROR]) == ()


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Rows of numbers, names and texts with a number, an answer and a class to predict."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(200, 2, generator=draw)
    path = tmp_path_factory.mktemp("table") / "shop.csv"
    rows = [
        f"{a:.3f},{'red' if b > 0 else 'blue'},{'good' if a > 0 else 'bad'} thing,{a + b:.3f},"
        f"{'yes' if a > 0 else 'no'},{('low', 'mid', 'high')[int(b > -0.4) + int(b > 0.4)]}"
        for a, b in x.tolist()
    ]
    path.write_text("\n".join(["size,colour,text,price,bought,kind", *rows]) + "\n")
    return path


def shop(table):
    targets = (Target("price", "regression"), Target("bought", "binary"), Target("kind", "multiclass"))
    return TableCase(str(table), targets, text=("text",), number=("size",), category=("colour",))


def announced(recipe, folder, **options):
    """What a study says at its beginning; it then trains baselines, and no network."""
    study = Study(make_plan(recipe, ["sum"], [0], epochs=1, **options), folder)
    console = Console(file=StringIO(), width=200)
    announce(study, console)
    assert [*study.run(1, execute=lambda work, queue, jobs: (event for event in ()))] == []
    return console.file.getvalue()


def test_a_study_of_a_table_keeps_their_scores_in_a_file(table, tmp_path):
    folder = tmp_path / "study"
    path = folder / "baselines.csv"
    assert "scikit-learn" not in announced(shop(table), folder, sklearn=False)
    assert not path.exists()
    assert "Baselines: a linear model and gradient boosting (scikit-learn)" in announced(shop(table), folder)
    written = path.read_bytes()
    rows = read_rows(folder, "baselines.csv", read_study(folder))
    assert [(row["baseline"], row["task"]) for row in rows] == [
        (f"{family} (scikit-learn)", task) for task in ("price", "bought", "kind") for family in ("linear", "boosting")
    ]
    values = {(row["baseline"].split()[0], row["task"]): float(row["value"]) for row in rows}
    assert values["linear", "bought"] == 1.0  # the text tells it
    assert values["linear", "price"] < 0.8  # a constant has 1.4
    # the same command finds them there, and one without them leaves them; what is damaged is made anew
    assert "Baselines" not in announced(shop(table), folder)
    assert "Baselines" not in announced(shop(table), folder, sklearn=False)
    path.write_bytes(written.replace(b"linear", b"linnear"))
    assert "Baselines: " in announced(shop(table), folder)
    assert path.read_bytes() == written


def test_without_scikit_learn_a_line_says_how_to_get_it(table, tmp_path, monkeypatch):
    monkeypatch.setattr(sklearn_baselines, "find_spec", lambda name: None)
    assert 'pip install "equipoise[baselines]"' in announced(shop(table), tmp_path / "study")
    assert not (tmp_path / "study" / "baselines.csv").exists()


def test_a_case_without_features_has_none(tmp_path):
    case = f"{Path(__file__).parent / 'tiny_case.py'}:make_case"
    assert "scikit-learn" not in announced(case, tmp_path / "study")
    assert not (tmp_path / "study" / "baselines.csv").exists()
