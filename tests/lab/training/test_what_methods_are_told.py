"""A method hears in a study what it would hear in a loop of its own: losses after a step, and validation results."""

import dataclasses

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from two_trainings import made_case

import equipoise as eq
from equipoise.lab.training import Settings, train

SETTINGS = Settings(epochs=3, batch_size=50, learning_rate=5e-3, weight_decay=0.01, clip_norm=1.0, patience=9)


class Ears(eq.Fixed):
    """Equal weights, which writes down what it is told."""

    def __init__(self, before, after, results):
        super().__init__([1, 1, 1])
        self.heard = (before, after, results)

    def __deepcopy__(self, memo):
        return Ears(*self.heard)

    def forward(self, losses, tasks):
        self.heard[0].append(losses.detach().clone())
        return super().forward(losses, tasks)

    def after_step(self, losses, tasks):
        self.heard[1].append(losses.clone())

    def observe(self, results, tasks):
        self.heard[2].append(results.tolist())


def dropping(case):
    """The same with dropout."""

    def make_model(names):
        network = case.model(names)
        network.encoder.append(torch.nn.Dropout(0.5))
        return network

    return dataclasses.replace(case, model=make_model)


@pytest.fixture
def fresh_accelerate():
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.parametrize(
    "wrap", [lambda ears: ears, lambda ears: eq.Chain(ears, eq.MGDA())], ids=["alone", "in a chain"]
)
@pytest.mark.parametrize("parts", [1, 3])
def test_losses_after_a_step_are_those_of_its_samples_with_the_new_weights(wrap, parts, tmp_path):
    case, before, after = made_case(), [], []
    settings = dataclasses.replace(SETTINGS, micro_batches=parts)
    train(case, case.tasks.names, wrap(Ears(before, after, [])), 0, settings, tmp_path)
    # each step holds the whole split, so the next one begins with the losses that this one left
    assert len(after) == 3
    torch.testing.assert_close(torch.stack(after[:-1]), torch.stack(before[1:]), rtol=1e-9, atol=0)


def test_to_look_back_changes_no_dropout(tmp_path):
    case, settings = dropping(made_case()), dataclasses.replace(SETTINGS, batch_size=10)
    ears = train(case, case.tasks.names, Ears([], [], []), 0, settings, tmp_path / "ears")
    plain = train(case, case.tasks.names, eq.Fixed([1, 1, 1]), 0, settings, tmp_path / "plain")
    assert ears.history == plain.history


def test_results_are_each_tasks_skill_on_validation(tmp_path):
    case, results = made_case(), []
    history = train(case, case.tasks.names, Ears([], [], results), 0, SETTINGS, tmp_path).history
    errors = [value for _, split, _, what, value in history if (split, what) == ("validation", "error")]
    assert [value for epoch in results for value in epoch] == pytest.approx([1 - error for error in errors])


def test_a_method_that_thinks_in_epochs_hears_their_ends(tmp_path):
    """DWA, with an epoch of one step: equal weights twice, then K softmax of the ratios of the last two losses."""
    case, settings = made_case(), dataclasses.replace(SETTINGS, epochs=4)
    history = train(case, case.tasks.names, eq.DWA(temperature=0.5), 0, settings, tmp_path).history
    loss, weight = (
        torch.tensor([v for _, split, _, what, v in history if (split, what) == ("train", quantity)]).view(4, 3)
        for quantity in ("loss", "weight")
    )
    torch.testing.assert_close(weight[:2], torch.ones(2, 3))
    torch.testing.assert_close(weight[2:], 3 * (loss[1:3] / loss[:2] / 0.5).softmax(dim=1))


class Epochs(torch.nn.MSELoss):
    """Writes down the ends of epochs, as a loss with an ``EpochSchedule`` needs them."""

    ended = 0

    def end_epoch(self):
        Epochs.ended += 1


def test_losses_that_think_in_epochs_hear_their_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(Epochs, "ended", 0)
    case = made_case()
    tasks = eq.Tasks([eq.Task("sum", Epochs()), *(case.tasks[name] for name in case.tasks.names[1:])])
    train(dataclasses.replace(case, tasks=tasks), tasks.names, eq.Sum(), 0, SETTINGS, tmp_path)
    assert Epochs.ended == 3


def test_accelerates_own_configuration_changes_nothing(tmp_path, monkeypatch, fresh_accelerate):
    case, settings = made_case(), dataclasses.replace(SETTINGS, batch_size=10, clip_norm=0.1)
    plain = train(case, case.tasks.names, eq.Sum(), 0, settings, tmp_path / "plain")
    AcceleratorState._reset_state(reset_partial_state=True)
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")  # as accelerate launch sets them
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    configured = train(case, case.tasks.names, eq.Sum(), 0, settings, tmp_path / "configured")
    assert configured.history == plain.history


def test_a_precision_that_another_loop_of_the_process_chose_is_refused(tmp_path, fresh_accelerate):
    case = made_case()
    Accelerator(mixed_precision="bf16")
    with pytest.raises(ValueError, match="mixed_precision='no'"):
        train(case, case.tasks.names, eq.Sum(), 0, SETTINGS, tmp_path)
