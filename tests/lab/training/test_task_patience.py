"""A task that gets no better stops contributing, and its best weights are kept."""

import dataclasses

import pytest
import torch

import equipoise as eq
from equipoise.lab.training import Settings, train
from equipoise.lab.training.selection import stopping_tasks

SETTINGS = Settings(
    epochs=6, batch_size=64, learning_rate=5e-3, weight_decay=0.3, clip_norm=None, patience=9, task_patience=2
)


@pytest.fixture
def stuck_case(small_case):
    """Its task "recommended" gets worse and worse, the others better and better."""
    asked = iter(range(10_000))

    def measured(task, sign):
        return dataclasses.replace(
            small_case.metrics[task][0], compute=lambda outputs, targets: sign * float(next(asked))
        )

    signs = {"rating": -1, "recommended": -1, "department": 1}  # rating's is an error
    metrics = {task: (measured(task, sign),) for task, sign in signs.items()}
    return dataclasses.replace(small_case, metrics=metrics)


def test_each_task_stops_by_its_own_primary_metric(small_case):
    def epoch(number, rmse, auroc, accuracy):
        values = {"rating": ("rmse", rmse), "recommended": ("auroc", auroc), "department": ("accuracy", accuracy)}
        return [
            *((number, "validation", task, name, value) for task, (name, value) in values.items()),
            *((number, "validation", task, "loss", 0.0) for task in values),  # what does not decide
            (number, "train", "recommended", "auroc", float(number)),
        ]

    history = [*epoch(1, 1.0, 0.7, 0.5), *epoch(2, 0.9, 0.6, 0.6), *epoch(3, 0.95, 0.65, 0.55)]
    assert stopping_tasks(history, (), small_case.metrics, 2) == ["recommended"]
    assert stopping_tasks(history, (), small_case.metrics, 1) == ["rating", "recommended", "department"]
    assert stopping_tasks(history, ("recommended",), small_case.metrics, 2) == []


@pytest.mark.parametrize("make", [eq.Sum, eq.MGDA], ids=lambda make: make.__name__)
def test_a_stopped_task_moves_nothing_of_its_own_and_the_others_go_on(make, stuck_case, tmp_path):
    heads, weights = {}, {}

    def look(epoch, *_):
        state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
        heads[epoch] = {name: v for name, v in state["parts"]["model"].items() if name.startswith("heads")}
        weights[epoch] = {
            task: v for e, _, task, what, v in state["progress"]["history"] if (e, what) == (epoch, "weight")
        }

    result = train(stuck_case, stuck_case.tasks.names, make(), 0, SETTINGS, tmp_path, look)
    assert result.stopped_tasks["recommended"] == 3
    assert set(weights[3]) == set(stuck_case.tasks.names)
    assert "recommended" not in weights[4]
    assert {name.split(".")[1] for name in heads[3] if not torch.equal(heads[3][name], heads[4][name])} == {
        "rating",
        "department",
    }
    assert {(e, task) for e, split, task, what, _ in result.history if (split, what) == ("train", "loss")} >= {
        (epoch, "recommended") for epoch in range(1, result.epochs + 1)
    }


def test_a_run_ends_when_its_last_task_stops(stuck_case, tmp_path):
    result = train(stuck_case, ["recommended"], eq.Sum(), 0, SETTINGS, tmp_path)
    assert (result.epochs, result.stopped_early) == (3, True)


def test_the_best_weights_of_each_task_and_of_any_criterion_are_kept(small_case, tmp_path):
    snapshots = {}

    def look(epoch, *_):
        snapshots[epoch] = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["parts"]["model"]

    settings = dataclasses.replace(
        SETTINGS, select="rating/loss", keep=("skill", "department/accuracy"), learning_rate=0.03
    )
    result = train(small_case, small_case.tasks.names, eq.Sum(), 0, settings, tmp_path, look)
    values = {}
    for _, split, task, quantity, value in result.history:
        if split == "validation":
            values.setdefault((task, quantity), []).append(value)
    first_best = {
        "rating/loss": values["rating", "loss"].index(min(values["rating", "loss"])),
        "skill": values["all", "skill"].index(max(values["all", "skill"])),
        "rating": values["rating", "rmse"].index(min(values["rating", "rmse"])),
        "recommended": values["recommended", "auroc"].index(max(values["recommended", "auroc"])),
        "department": values["department", "accuracy"].index(max(values["department", "accuracy"])),
        "department/accuracy": values["department", "accuracy"].index(max(values["department", "accuracy"])),
    }
    assert result.best_epochs == {criterion: 1 + place for criterion, place in first_best.items()}
    assert result.best_epoch == result.best_epochs["rating/loss"]
    assert values["all", "selection"] == [-loss for loss in values["rating", "loss"]]
    assert len(set(result.best_epochs.values())) > 1
    kept = torch.load(tmp_path / "best.pt", weights_only=True)
    assert set(kept) == set(first_best)
    for criterion, best in kept.items():
        snapshot = snapshots[result.best_epochs[criterion]]
        assert all(torch.equal(snapshot[name], tensor) for name, tensor in best["weights"].items())
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["best.pt", "exhibits.json", "result.json"]
