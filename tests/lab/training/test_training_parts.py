import math
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import equipoise as eq
from equipoise.lab.cases import Metric
from equipoise.lab.files import replace_file
from equipoise.lab.training import RunResult, Settings
from equipoise.lab.training.checkpoint import generator_state, restore_generators
from equipoise.lab.training.evaluate import evaluate
from equipoise.lab.training.measurements import Means
from equipoise.lab.training.order import EpochOrder


def test_order_is_a_permutation_that_seed_and_epoch_alone_decide():
    order = EpochOrder(range(50), seed=3)
    first = list(order)
    assert sorted(first) == list(range(50))
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    assert list(order) == first
    order.set_epoch(1)
    second = list(order)
    assert second != first
    order.set_epoch(0)
    assert list(order) == first
    assert list(EpochOrder(range(50), seed=4)) not in (first, second)


def test_generators_go_on_from_the_state_taken():
    def draw():
        return random.random(), np.random.standard_normal(), torch.rand(()).item()

    draw()  # an odd number of normals: numpy holds the second of the pair
    state = generator_state()
    expected = draw()
    draw()
    restore_generators(state)
    assert draw() == expected


def test_means_are_weighted_by_labels_and_leave_nan_out():
    means = Means("abc")
    means.add("loss", {"a": 1.0, "b": 5.0}, {"a": 3, "b": 10})
    means.add("loss", {"a": 2.0, "b": float("nan")}, {"a": 1, "b": 10})
    assert means.rows() == [("a", "loss", 5 / 4), ("b", "loss", 5.0)]


def test_means_of_a_record():
    record = SimpleNamespace(
        names=("a", "b", "c"),
        weights={"a": 1.0, "b": 2.0, "c": 3.0},
        norms={"a": 4.0, "b": 5.0, "c": 6.0},
        cosines=torch.tensor([[1.0, 0.5, -0.25], [0.5, 1.0, 0.125], [-0.25, 0.125, 1.0]]),
        magnitude_similarity=torch.tensor([[1.0, 0.75, 0.5], [0.75, 1.0, 0.25], [0.5, 0.25, 1.0]]),
        condition_number=100.0,
        parts={},
    )
    means = Means("abc")
    means.add_record(record)
    rows = {(task, quantity): value for task, quantity, value in means.rows()}
    assert rows == {
        **{(task, "weight"): value for task, value in record.weights.items()},
        **{(task, "gradient_norm"): value for task, value in record.norms.items()},
        ("a|b", "cosine"): 0.5,
        ("a|c", "cosine"): -0.25,
        ("b|c", "cosine"): 0.125,
        ("a|b", "magnitude_similarity"): 0.75,
        ("a|c", "magnitude_similarity"): 0.5,
        ("b|c", "magnitude_similarity"): 0.25,
        ("all", "log10_condition_number"): 2.0,
    }


class Echo(torch.nn.Module):
    """Answers its inputs."""

    def forward(self, inputs):
        assert not self.training
        return inputs


def mean_of_both(outputs, targets):
    return (outputs.sum() + targets.sum()).item() / len(targets)


def test_evaluation_is_on_the_whole_split_without_missing_labels():
    tasks = eq.Tasks([eq.Task("a", torch.nn.MSELoss()), eq.Task("b", torch.nn.CrossEntropyLoss(ignore_index=-1))])
    metrics = {name: (Metric("both", True, 1.0, 0.0, mean_of_both),) for name in ("a", "b")}
    logits = torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    batches = [
        (
            {"a": torch.tensor([1.0, 2.0]), "b": logits[:2]},
            {"a": torch.tensor([2.0, torch.nan]), "b": torch.tensor([1, 0])},
        ),
        ({"a": torch.tensor([4.0]), "b": logits[2:]}, {"a": torch.tensor([1.0]), "b": torch.tensor([-1])}),
    ]
    model = Echo()
    values = evaluate(model, tasks, metrics, batches)
    assert model.training
    assert values["a"] == {"both": (1 + 4 + 2 + 1) / 2, "loss": (1 + 9) / 2}
    loss = -(logits[0].log_softmax(0)[1] + logits[1].log_softmax(0)[0]).item() / 2
    assert values["b"] == {"both": (0 + 1 + 2 + 3 + 1 + 0) / 2, "loss": pytest.approx(loss)}


def test_a_sample_with_some_of_its_labels_counts_and_one_with_none_does_not():
    tasks = eq.Tasks([eq.Task("a", torch.nn.MSELoss(), missing="loss"), eq.Task("b", torch.nn.CrossEntropyLoss())])
    seen = {}

    def look(name):
        return Metric(name, True, 1.0, 0.0, lambda outputs, targets: seen.update({name: targets.tolist()}) or 0.0)

    numbers = torch.tensor([[1.0, torch.nan], [torch.nan, torch.nan], [2.0, 3.0]])
    pixels = torch.tensor([[0, -100], [-100, -100], [1, 0]])
    batch = ({"a": numbers.nan_to_num(), "b": torch.zeros(3, 2, 2)}, {"a": numbers, "b": pixels})
    evaluate(Echo(), tasks, {name: (look(name),) for name in "ab"}, [batch])
    assert seen["a"] == [[1.0, pytest.approx(math.nan, nan_ok=True)], [2.0, 3.0]]
    assert seen["b"] == [[0, -100], [1, 0]]


def test_metrics_of_a_diverged_network_are_nan():
    tasks = eq.Tasks([eq.Task("a", torch.nn.MSELoss())])
    metrics = {"a": (Metric("zero", True, 1.0, 0.0, lambda outputs, targets: 0.0),)}
    values = evaluate(Echo(), tasks, metrics, [({"a": torch.tensor([1.0, torch.nan])}, {"a": torch.ones(2)})])
    assert math.isnan(values["a"]["zero"])
    # an output without a label does not count
    values = evaluate(
        Echo(), tasks, metrics, [({"a": torch.tensor([1.0, torch.nan])}, {"a": torch.tensor([1.0, torch.nan])})]
    )
    assert values["a"]["zero"] == 0.0


def test_evaluation_without_a_label_is_an_error():
    tasks = eq.Tasks([eq.Task("a", torch.nn.MSELoss())])
    with pytest.raises(ValueError, match="no label of task 'a'"):
        evaluate(Echo(), tasks, {"a": ()}, [({"a": torch.ones(1)}, {"a": torch.tensor([torch.nan])})])


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    replace_file(path, lambda file: file.write(b"old"))

    def fail(file):
        file.write(b"ne")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace_file(path, fail)
    assert path.read_bytes() == b"old"


def test_result_survives_json(tmp_path):
    result = RunResult(
        scores=[("test", "a", "rmse", 0.1 + 0.2), ("test", "a", "loss", float("inf"))],
        history=[(1, "train", "a|b", "cosine", -1 / 3)],
        best_epoch=1,
        epochs=2,
        steps=10,
        seconds=1.5,
        seconds_per_step=0.01,
        backwards_per_step=3.0,
        peak_memory_mb=100.0,
        stopped_early=True,
        skipped_steps=1,
        unsolved_steps=2,
        run="ä case",
    )
    result.write(tmp_path / "result.json")
    assert RunResult.read(tmp_path / "result.json") == result


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("patience", 0),
        ("learning_rate", 0.0),
        ("weight_decay", -1.0),
        ("clip_norm", 0.0),
        ("schedule", "cos"),
        ("warmup", -1),
        ("weight_decay_end", math.inf),
        ("clip_value", -1.0),
        ("average", 1.0),
        ("micro_batches", 0),
        ("micro_batches", 2),
        ("precision", "fp16"),
        ("task_patience", 0),
        ("start", "label"),
        ("temperature", 0.0),
    ],
)
def test_settings_name_what_is_out_of_range(name, value):
    good = {"epochs": 1, "batch_size": 1, "learning_rate": 0.1, "weight_decay": 0.0, "clip_norm": None, "patience": 1}
    Settings(**good)
    with pytest.raises(ValueError, match=f"{name} must be .* got {value!r}|no {name} {value!r}"):
        Settings(**{**good, name: value})
