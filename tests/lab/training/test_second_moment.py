"""The vectors of a bag of n-grams are trained with one second moment, so that each moves as far as its errors say."""

import pytest
import torch
from accelerate import Accelerator
from torch.testing import assert_close

import equipoise as eq
from equipoise.lab.training.learner import make_learner, share_second_moment
from equipoise.lab.training.loop import case_settings


def trained(case, steps=3):
    learner = make_learner(case, ["rating"], eq.Sum(), case_settings(case), Accelerator(cpu=True), steps)
    for first in range(0, 16 * steps, 16):
        inputs, targets = case.collate([case.data["train"][row] for row in range(first, first + 16)])
        learner.optimizer.zero_grad()
        learner.tasks.losses(learner.network(inputs), targets)["rating"].backward()
        learner.optimizer.step()
    return learner


def test_a_bag_has_one_second_moment_and_other_weights_have_their_own(small_case):
    learner = trained(small_case)
    state = learner.optimizer.state
    moments = {name: state[weight]["exp_avg_sq"].unique() for name, weight in learner.network.named_parameters()}
    (shared,) = (moment for name, moment in moments.items() if name.endswith("bag.embedding.weight"))
    assert len(shared) == 1
    assert shared > 0
    assert all(len(moment) > 1 for name, moment in moments.items() if name.endswith("layers.0.weight"))


@pytest.mark.parametrize("shared", [True, False])
def test_then_numbers_move_as_their_gradients_and_otherwise_all_alike(shared):
    weight = torch.nn.Parameter(torch.zeros(3))
    optimizer = torch.optim.AdamW([weight], lr=1e-3, weight_decay=0.0, betas=(0.0, 0.999))
    gradient = torch.tensor([1.0, 10.0, 100.0])
    for _ in range(300):
        before, weight.grad = weight.detach().clone(), gradient
        optimizer.step()
        if shared:
            share_second_moment(optimizer, [weight])
    moved = before - weight.detach()
    assert_close(moved / moved[0], gradient if shared else torch.ones(3), rtol=2e-2, atol=0)


def test_a_weight_without_a_step_is_left_alone():
    weight = torch.nn.Parameter(torch.ones(2))
    share_second_moment(torch.optim.AdamW([weight]), [weight])
    assert weight.tolist() == [1.0, 1.0]
