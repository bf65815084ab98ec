"""``l1`` and ``l2``: penalties on the network's weights, beside what balancing makes of the tasks' losses."""

import dataclasses

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import equipoise as eq
from equipoise.lab.training import Settings, train
from equipoise.lab.training.epoch import _penalise
from equipoise.losses import weights_only

SETTINGS = Settings(epochs=2, batch_size=64, learning_rate=0.01, weight_decay=0.0, clip_norm=None, patience=9)


def test_the_gradient_is_that_of_the_penalty_by_weights_that_have_one():
    """d (a sum |w| + b sum w²/2) = a sign(w) + b w; biases, normalisation and what no loss reaches get none."""
    network = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 1), nn.Linear(4, 1)).double()
    network[:3](torch.randn(5, 3, dtype=torch.float64)).sum().backward()
    before = {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}
    settings = dataclasses.replace(SETTINGS, l1=0.3, l2=0.7)
    _penalise(type("Learner", (), {"settings": settings, "network": network}))
    weights = weights_only(network)
    for name, parameter in network.named_parameters():
        if name not in before:
            assert parameter.grad is None
            continue
        is_weight = any(parameter is weight for weight in weights)
        added = 0.3 * parameter.sign() + 0.7 * parameter if is_weight else torch.zeros_like(parameter)
        assert_close(parameter.grad - before[name], added.detach())


def test_weights_end_smaller_the_larger_the_penalty(calm_case, tmp_path):
    sizes = {}
    for name in ("none", "l1", "l2"):
        settings = SETTINGS if name == "none" else dataclasses.replace(SETTINGS, **{name: 1.0}, keep=("rating",))
        settings = dataclasses.replace(settings, keep=("rating",))
        train(calm_case, calm_case.tasks.names, eq.Sum(), 0, settings, tmp_path / name)
        kept = torch.load(tmp_path / name / "best.pt", weights_only=True)["rating"]["weights"]
        sizes[name] = sum(float(value.abs().sum()) for key, value in kept.items() if key.endswith("weight"))
    assert sizes["l1"] < sizes["none"]
    assert sizes["l2"] < sizes["none"]


@pytest.mark.parametrize("name", ["l1", "l2"])
def test_a_penalty_out_of_range_is_refused_and_one_of_0_is_not_said(name):
    with pytest.raises(ValueError, match=f"{name} must be 0 or more and finite, got -1"):
        dataclasses.replace(SETTINGS, **{name: -1.0})
    assert name not in SETTINGS.described
    assert dataclasses.replace(SETTINGS, **{name: 0.5}).described[name] == 0.5
