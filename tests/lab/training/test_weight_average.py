import dataclasses

import pytest
import torch
from accelerate import Accelerator

import equipoise as eq
from equipoise.lab.training import Settings, train
from equipoise.lab.training.learner import averaged, make_learner
from equipoise.lab.training.loop import case_settings

SETTINGS = Settings(epochs=2, batch_size=64, learning_rate=0.01, weight_decay=0.0, clip_norm=None, patience=9)


class Counted(torch.nn.Module):
    """A weight, a statistic and a number of places."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(3))
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("places", torch.zeros(4, dtype=torch.int64))

    def put(self, number):
        with torch.no_grad():
            self.weight.fill_(number)
            self.mean.fill_(-number)
            self.places.fill_(int(number))


def test_the_average_forgets_geometrically_and_whole_numbers_are_not_averaged():
    network, beta, numbers = Counted(), 0.8, [3.0, 1.0, 7.0, 7.0]
    average = averaged(network, beta)
    for number in numbers:
        network.put(number)
        average.update_parameters(network)
    shares = [beta**3, *((1 - beta) * beta**k for k in (2, 1, 0))]
    expected = sum(share * number for share, number in zip(shares, numbers, strict=True))
    assert average.module.weight.tolist() == pytest.approx([expected] * 3)
    assert average.module.mean.tolist() == pytest.approx([-expected] * 2)
    assert average.module.places.tolist() == [7] * 4


def test_validation_and_the_kept_weights_are_the_averages(small_case, tmp_path):
    def after_two(epoch, *_):
        if epoch == 2:
            raise KeyboardInterrupt

    settings = dataclasses.replace(SETTINGS, average=0.9, keep=("rating/loss",))
    with pytest.raises(KeyboardInterrupt):
        train(small_case, small_case.tasks.names, eq.Sum(), 0, settings, tmp_path, after_two)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    average = {name.removeprefix("module."): tensor for name, tensor in state["parts"]["average"].items()}
    assert average.pop("n_averaged") == 10
    kept = {best["epoch"]: best["weights"] for best in state["progress"]["best"].values()}[2]
    assert all(torch.equal(average[name], kept[name]) for name in kept)
    assert not all(torch.equal(state["parts"]["model"][name], kept[name]) for name in kept)
    network = small_case.model(small_case.tasks.names)
    network.load_state_dict(average)
    inputs, targets = small_case.collate([small_case.data["validation"][i] for i in range(200)])
    losses = small_case.tasks.losses(network.eval()(inputs), targets)
    told = {
        task: v
        for e, split, task, what, v in state["progress"]["history"]
        if (e, split, what) == (2, "validation", "loss")
    }
    assert told == pytest.approx({name: loss.item() for name, loss in losses.items()}, rel=1e-5)


def test_the_weights_that_move_do_not_feel_the_average(small_case, tmp_path):
    histories = []
    for average in (None, 0.5):
        settings = dataclasses.replace(SETTINGS, average=average)
        result = train(small_case, small_case.tasks.names, eq.MGDA(), 0, settings, tmp_path / str(average))
        histories.append([moment for moment in result.history if moment[1] == "train"])
    assert histories[0] == histories[1]


@pytest.mark.parametrize(("given", "expected"), [({}, 0.9), ({"average": 0.8}, 0.8), ({"average": 0.0}, 0.0)])
def test_a_case_has_an_average_that_a_setting_replaces_and_0_is_none(small_case, given, expected):
    settings = case_settings(dataclasses.replace(small_case, average=0.9), **given)
    assert settings.average == expected
    learner = make_learner(small_case, ["rating"], eq.Sum(), settings, Accelerator(), steps=5)
    assert (learner.average is None) == (expected == 0) == (learner.evaluated is learner.network)
