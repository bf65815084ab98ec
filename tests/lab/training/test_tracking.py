import math

import pytest
from tracker_reading import READERS

import equipoise as eq
from equipoise.lab.training import Settings, train
from equipoise.lab.training.tracking import RunTracker, require_tracker

HISTORY = [
    (1, "train", "rating", "loss", 1.5),
    (1, "train", "rating|department", "cosine", -0.25),
    (1, "validation", "rating", "loss", math.inf),
    (2, "train", "rating", "loss", 1.25),
    (2, "validation", "rating", "loss", 2.0),
]
CURVES = {
    "rating/train loss": {1: 1.5, 2: 1.25},
    "rating and department/train cosine": {1: -0.25},
    "rating/validation loss": {2: 2.0},
}


@pytest.fixture(autouse=True)
def own_settings(monkeypatch):
    for name in ("WANDB_MODE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "kind", ["tensorboard", *(pytest.param(k, marks=pytest.mark.slow) for k in READERS if k != "tensorboard")]
)
def test_a_tracker_receives_every_curve_and_forgets_a_broken_attempt(kind, tmp_path):
    # mlflow wants older packages than constraints.txt pins: try it in an environment of its own
    pytest.importorskip(kind)
    broken = RunTracker(kind, tmp_path, "a case", "sum-seed0", {"seed": 0})
    broken.log([(7, "train", "rating", "loss", 9.0)])
    broken.finish()
    tracker = RunTracker(kind, tmp_path, "a case", "sum-seed0", {"method": "sum", "seed": 0, "note": None})
    tracker.log(HISTORY[:3])
    tracker.log(HISTORY[3:])
    tracker.finish()
    found = READERS[kind](tmp_path, "a case", "sum-seed0")
    assert {name: found[name] for name in found if "/" in name} == CURVES


def test_an_unknown_or_missing_tracker_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="no tracker 'tensorbord'; there are tensorboard, wandb, mlflow"):
        require_tracker("tensorbord")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="needs its package: pip install wandb"):
        require_tracker("wandb")


def test_train_hands_over_its_history_as_it_grows_and_all_of_it_when_going_on(small_case, tmp_path):
    settings = Settings(epochs=3, batch_size=64, learning_rate=5e-3, weight_decay=0.0, clip_norm=None, patience=3)
    taken = []

    def stop(epoch, *_):
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(
            small_case, ["rating"], eq.Sum(), 0, settings, tmp_path, stop, lambda moments: taken.append(list(moments))
        )
    assert [{moment[0] for moment in part} for part in taken] == [{1}, {2}]
    again = []
    result = train(small_case, ["rating"], eq.Sum(), 0, settings, tmp_path, None, lambda m: again.append(list(m)))
    assert [{moment[0] for moment in part} for part in again] == [{1, 2}, {3}]
    assert [moment for part in again for moment in part] == result.history
