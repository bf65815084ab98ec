"""Interrupted and resumed equals uninterrupted to the last bit, whatever the options."""

import dataclasses

import pytest
import torch

import equipoise as eq
from equipoise.lab.training import Settings, train

BUDGET = Settings(epochs=4, batch_size=64, learning_rate=0.02, weight_decay=0.01, clip_norm=1.0, patience=9)
OPTIONS = {
    "rates": {"schedule": "cosine", "warmup": 7, "weight_decay_end": 0.2, "clip_value": 0.01},
    "average": {"average": 0.9, "select": "department/loss", "keep": ("skill", "rating")},
    "parts": {"micro_batches": 3, "task_patience": 1},
    "bf16": {"precision": "bf16", "schedule": "step", "start": "labels"},
    "all": {
        "schedule": "linear",
        "warmup": 2,
        "weight_decay_end": 0.0,
        "clip_value": 0.02,
        "average": 0.8,
        "micro_batches": 2,
        "precision": "bf16",
        "task_patience": 2,
        "select": "rating/rmse",
        "keep": ("department/loss",),
        "start": "labels",
    },
}
MEASURED = ("seconds", "seconds_per_step", "peak_memory_mb")


def outcome(result):
    return {name: value for name, value in dataclasses.asdict(result).items() if name not in MEASURED}


def equal(one, other):
    """Equality to the last bit, through containers."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    return one == other


@pytest.mark.paired
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("make", [eq.DWA, eq.PCGrad], ids=lambda make: make.__name__)
def test_resumed_is_uninterrupted(make, options, small_case, tmp_path):
    settings = dataclasses.replace(BUDGET, **options)

    def run(folder, stops=()):
        def report(epoch, *_):
            if epoch in stops:
                raise KeyboardInterrupt

        torch.rand(3)  # whatever the generators did before must not matter
        return train(small_case, small_case.tasks.names, make(), 1, settings, tmp_path / folder, report)

    whole = run("whole")
    for stop in (1, 3):
        with pytest.raises(KeyboardInterrupt):
            run("resumed", (stop,))
    assert outcome(run("resumed")) == outcome(whole)
    if (tmp_path / "whole" / "best.pt").exists():
        kept = [torch.load(tmp_path / folder / "best.pt", weights_only=True) for folder in ("whole", "resumed")]
        assert equal(*kept)


def test_every_option_changes_the_run_and_its_description(small_case, tmp_path):
    budget = dataclasses.replace(BUDGET, epochs=2)
    plain = train(small_case, small_case.tasks.names, eq.Sum(), 1, budget, tmp_path / "plain")
    assert repr(budget) in plain.run
    assert "schedule" not in repr(budget)
    options = {
        "schedule": "linear",
        "warmup": 3,
        "weight_decay_end": 0.5,
        "clip_value": 1e-3,
        "average": 0.9,
        "precision": "bf16",
        "start": "labels",
    }
    for name, value in options.items():
        settings = dataclasses.replace(budget, **{name: value})
        result = train(small_case, small_case.tasks.names, eq.Sum(), 1, settings, tmp_path / name)
        assert f"{name}={value!r}" in result.run
        assert result.scores != plain.scores, name
