"""A record of one's own loop has the quantities of a study's training, its verdicts, figures and report."""

import csv
import json

import numpy as np
import pytest
import torch
from torch import nn

import equipoise as eq
from equipoise import lab
from equipoise.lab.evaluation import judge_fit

TASKS = {"size": ("mse", "lower"), "kind": ("accuracy", "higher")}


def make_tasks():
    return eq.Tasks([eq.Task("size", nn.MSELoss()), eq.Task("kind", nn.CrossEntropyLoss())])


def data(seed):
    x = torch.randn(60, 3, generator=torch.Generator().manual_seed(seed))
    return x, {"size": x[:, 0] - x[:, 1], "kind": (x[:, 2] > 0).long() + (x[:, 1] > 1).long()}


def train(arm, seed, epochs=4):
    """A real loop, small, that records itself."""
    tasks = make_tasks()
    trunk, heads = nn.Linear(3, 5), nn.ModuleDict({"size": nn.Linear(5, 1), "kind": nn.Linear(5, 3)})
    model = nn.ModuleList([trunk, heads])
    balancer, recorder = arm.balancer(model, tasks), arm.recorder(tasks, epochs=epochs)
    optimizer = torch.optim.Adam([*model.parameters(), *balancer.parameters()], lr=0.02)

    def outputs(x):
        z = torch.tanh(trunk(x))
        return {"size": heads["size"](z).squeeze(1), "kind": heads["kind"](z)}

    (x, labels), (held, truth) = data(0), data(1)
    for epoch in range(1, epochs + 1):
        for part in torch.randperm(60).split(20):
            optimizer.zero_grad()
            balancer(tasks.losses(outputs(x[part]), {name: of[part] for name, of in labels.items()})).backward()
            optimizer.step()
            recorder.step(balancer.record)
        with torch.no_grad():
            found = outputs(held)
        accuracy = (found["kind"].argmax(1) == truth["kind"]).double().mean()
        recorder.validate(epoch, {"kind/accuracy": accuracy}, outputs=found, targets=truth)
    return {"size/mse": (found["size"] - truth["size"]).square().mean(), "kind/accuracy": accuracy}


@pytest.fixture(scope="module")
def recorder():
    torch.manual_seed(0)
    arm = lab.Arm("pcgrad", 0, eq.PCGrad())
    train(arm, 0)
    return arm.recorded


def test_the_history_has_the_quantities_of_a_studys_training(recorder):
    rows = {(epoch, split, task, quantity): value for epoch, split, task, quantity, value in recorder.history}
    for epoch in range(1, 5):
        for task in ("size", "kind"):
            for split, quantity in (("train", "loss"), ("train", "weight"), ("train", "gradient_norm")):
                assert rows[epoch, split, task, quantity] > 0
            assert rows[epoch, "validation", task, "loss"] > 0
        assert -1 <= rows[epoch, "train", "size|kind", "cosine"] <= 1
        assert 0 <= rows[epoch, "validation", "kind", "accuracy"] <= 1


def test_a_mean_over_the_steps_of_an_epoch_and_each_record_once():
    recorder = lab.Recorder(["a", "b"])
    model = nn.Linear(2, 2)
    balancer = eq.Balancer(eq.Sum(), model, tasks=["a", "b"])
    losses = []
    for scale in (1.0, 3.0):
        z = model(torch.full((1, 2), scale))
        given = {"a": z[0, 0].square(), "b": z[0, 1].square()}
        balancer(given).backward()
        losses.append({name: float(loss.detach()) for name, loss in given.items()})
        for _ in range(int(scale)):  # the same step
            recorder.step(balancer.record)
    recorder.validate(1, {"a/loss": 1.0})
    found = {
        task: value for _, split, task, quantity, value in recorder.history if (split, quantity) == ("train", "loss")
    }
    assert found == pytest.approx({name: sum(one[name] for one in losses) / 2 for name in "ab"})
    z = model(torch.full((1, 2), 5.0))
    balancer({"a": z[0, 0].square(), "b": z[0, 1].square()}).backward()
    recorder.step(balancer.record)
    recorder.validate(2, {"a/loss": 1.0})
    assert (2, "train", "a", "loss", pytest.approx(float(z[0, 0].detach().square()))) in recorder.history


def test_the_verdict_on_the_fit_is_that_of_the_stated_rule(recorder):
    curves = recorder.study.curves
    for task, fit in recorder.fits.items():
        losses = [curves["training", task, f"{split} loss"][0] for split in ("train", "validation")]
        assert fit == judge_fit(*losses, 4)
    assert recorder.headline.startswith("After 4 epochs: ")
    over = lab.Recorder(["a"])
    over.history = [
        (epoch, split, "a", "loss", value)
        for epoch, pair in enumerate([(1.0, 1.0), (0.5, 0.8), (0.2, 0.9), (0.1, 1.1)], 1)
        for split, value in zip(("train", "validation"), pair, strict=True)
    ]
    assert over.headline == "After 4 epochs: over-fitting on a."


def test_confusion_matrices_are_those_of_the_last_outputs(recorder):
    matrix = next(one.result for one in recorder.diagnostics if one.name == "kind-confusion")
    _, truth = data(1)
    assert [sum(row) for row in matrix.counts] == torch.bincount(truth["kind"], minlength=3).tolist()
    predicted = recorder.predictions.outputs["kind"].argmax(1)
    assert matrix.counts[0][0] == int(((predicted == 0) & (truth["kind"] == 0)).sum())


def test_figures_and_report_are_a_studys(recorder, tmp_path):
    assert {"losses", "weights", "gradient_norms", "cosines", "kind-confusion"} <= {*recorder.figures}
    assert [axes.get_title() for axes in recorder.plot("losses").axes] == ["size", "kind"]
    recorder.plot("kind-confusion")
    with pytest.raises(ValueError, match="no figure 'differences': there are losses"):
        recorder.plot("differences")
    text = recorder.save_report(tmp_path / "page.html").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    for part in (recorder.headline, "Loss curves", "Over- and under-fitting", "kind: confusion matrix"):
        assert part in text
    assert 'href="figures' not in text


def test_a_comparison_keeps_what_its_runs_record_as_a_study_does(tmp_path, blank_images):
    folder = tmp_path / "loop"
    results = lab.compare(train, ["sum", "pcgrad"], seeds=2, tasks=TASKS, folder=folder)
    with (folder / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["method"], row["seed"]) for row in rows} == {(m, s) for m in ("sum", "pcgrad") for s in "01"}
    assert {"losses", "weights", "gradient_norms", "kind-confusion", "differences"} <= {*results.figures}
    results.plot("losses")
    assert "kind: confusion matrix" in results.save_report(tmp_path / "page.html").read_text(encoding="utf-8")
    again = lab.load(folder)
    assert again.figures == results.figures
    assert repr(again.verdict) == repr(results.verdict)
    assert json.loads((folder / "study.json").read_text())["looks"]


def test_without_a_folder_the_same_is_shown_and_nothing_is_left(tmp_path, monkeypatch, blank_images):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    results = lab.compare(train, ["sum"], seeds=1, tasks=TASKS)
    assert "losses" in results.figures
    text = results.save_report(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Loss curves" in text
    assert 'href="equipoise-' not in text
    del results
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda recorder: recorder.validate(0, {}), "epoch must be above 0, the last that was recorded, got 0"),
        (lambda recorder: recorder.validate(1.5, {}), "epoch must be a whole number, got 1.5"),
        (lambda recorder: recorder.validate("1", {}), "epoch must be a whole number, got '1'"),
        (lambda recorder: recorder.validate(True, {}), "epoch must be a whole number, got True"),
        (lambda recorder: recorder.validate(1, {"size": 1.0}), "values are named 'task/metric', such as 'size/loss'"),
        (lambda recorder: recorder.validate(1, {"sise/loss": 1.0}), "no task 'sise' is recorded; did you mean 'size'"),
        (lambda recorder: recorder.validate(1, outputs={}, targets={}), r"outputs need tasks with losses"),
    ],
)
def test_wrong_use_is_named(use, message):
    with pytest.raises(ValueError, match=message):
        use(lab.Recorder(["size", "kind"]))


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        (["size", "kind", "size"], "task names must be unique, got 'size' more than once"),
        ("size", r"tasks must be Tasks, or a list of tasks or of their names, such as \['size'\], got 'size'"),
        ([], "there is no task to record"),
        ([1], "a task is a Task or a name, got 1"),
    ],
)
def test_tasks_are_told_by_different_names(tasks, message):
    with pytest.raises(ValueError, match=message):
        lab.Recorder(tasks)


def test_a_whole_number_of_numpy_is_an_epoch():
    recorder = lab.Recorder(["size"])
    recorder.validate(np.int64(1), {"size/loss": 1.0})
    assert type(recorder.epoch) is int


@pytest.mark.parametrize(("epochs", "message"), [(0, "at least 1 or None, got 0"), (2.5, "whole number, got 2.5")])
def test_allowed_epochs_are_a_whole_number(epochs, message):
    with pytest.raises(ValueError, match=f"epochs must be .*{message}"):
        lab.Recorder(["size"], epochs=epochs)


def test_an_arm_has_one_recorder():
    arm = lab.Arm("sum", 3, eq.Sum())
    arm.recorder(["a"])
    with pytest.raises(ValueError, match="sum, seed 3 has a recorder already"):
        arm.recorder(["a"])


def test_a_loss_that_ends_as_nan_is_said_and_not_judged():
    arm = lab.Arm("sum", 0, eq.Sum())
    train(arm, 0)
    recorder = arm.recorded
    recorder.validate(recorder.epoch + 1, {"size/loss": float("nan"), "kind/loss": 0.1})
    assert recorder.fits["size"] == "not judged"
    assert "the last loss is not finite on size" in recorder.headline
    recorder.validate(recorder.epoch + 1, {"size/loss": 0.5, "kind/loss": 0.1})
    assert "not finite" not in recorder.headline


def test_one_epoch_is_no_epochs():
    recorder = lab.Recorder(["a"])
    recorder.validate(1, {"a/loss": float("nan")})
    assert recorder.headline == "After 1 epoch: the last loss is not finite on a."
