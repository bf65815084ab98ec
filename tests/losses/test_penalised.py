"""Penalised is loss + strength · penalty, of the output or of the parameters."""

import copy
from functools import partial

import pytest
import torch
from laws import Case, laws_for
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

import equipoise as eq
from equipoise.losses import BinaryFocalLoss, FocalLoss
from equipoise.losses.mixed import LearnedProportion, Mixed
from equipoise.losses.penalised import Penalised
from equipoise.losses.regularisation import ParameterPenalty, activation_sparsity, l1, l2
from equipoise.losses.schedules import LinearSchedule


def binary(n, generator):
    logits = 3 * torch.randn(n, 4, generator=generator, dtype=torch.float64)
    return logits, torch.randint(2, (n, 4), generator=generator).double()


def mean_square(output):
    return output.float().square().mean() if output.dtype != torch.float64 else output.square().mean()


FIXED = nn.Linear(3, 2)
CASES = [
    Case("penalised", Penalised(BinaryFocalLoss(), mean_square, 0.3), binary, elementwise=False),
    Case(
        "penalised, parameters",
        Penalised(BinaryFocalLoss(), ParameterPenalty(l1, FIXED), LinearSchedule(0.3, 0.3, steps=5)),
        binary,
        elementwise=False,
    ),
]
test_laws, test_compiles = laws_for(CASES)


def test_it_is_the_sum_value_and_gradient():
    output = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    target = torch.randn(6, 3, dtype=torch.float64)
    penalised = Penalised(nn.MSELoss(), l1, 0.25)
    expected = F.mse_loss(output, target) + 0.25 * output.abs().sum()
    value = penalised(output, target)
    assert_close(value, expected)
    assert_close(torch.autograd.grad(value, output), torch.autograd.grad(expected, output))
    assert_close(penalised.parts, {"loss": F.mse_loss(output, target).detach(), "penalty": output.abs().sum().detach()})
    assert not penalised.parts["loss"].requires_grad


def test_without_a_target():
    penalised = Penalised(torch.mean, activation_sparsity, 0.5)
    logits = torch.randn(6, 3)
    assert_close(penalised(logits), logits.mean() + 0.5 * activation_sparsity(logits))
    tasks = eq.Tasks([eq.Task("code", penalised, target=None)])
    assert_close(tasks.losses({"code": logits})["code"], penalised(logits))


def test_parts_inside_are_shown():
    mixed = Mixed({"l1": (0.3, nn.L1Loss()), "l2": (2.0, nn.MSELoss())})
    penalised = Penalised(mixed, l2, 1.0)
    penalised(torch.ones(2), torch.zeros(2))
    assert list(penalised.parts) == ["loss", "loss/l1", "loss/l2", "penalty"]


def test_the_strength_follows_its_schedule():
    penalised = Penalised(nn.MSELoss(), l1, LinearSchedule(0.0, 1.0, steps=2))
    values = [penalised(torch.tensor([3.0]), torch.tensor([3.0])).item() for _ in range(4)]
    assert values == [0.0, 1.5, 3.0, 3.0]


@pytest.mark.parametrize("optimiser", [partial(torch.optim.SGD, momentum=0.9), torch.optim.Adam])
def test_l2_is_the_weight_decay_that_optimisers_add_to_the_gradient(optimiser):
    """And only of the weights: the penalty leaves biases alone, weight_decay is set so by parameter groups."""
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    theirs = copy.deepcopy(ours)
    inputs, target = torch.randn(20, 5, dtype=torch.float64), torch.randn(20, 1, dtype=torch.float64)
    loss = Penalised(nn.MSELoss(), ParameterPenalty(l2, ours), 0.1)
    ours_moves = optimiser(ours.parameters(), lr=0.05)
    weights = [p for p in theirs.parameters() if p.dim() > 1]
    biases = [p for p in theirs.parameters() if p.dim() == 1]
    theirs_moves = optimiser([{"params": weights, "weight_decay": 0.1}, {"params": biases}], lr=0.05)
    for _ in range(20):
        for model, criterion, moves in ((ours, loss, ours_moves), (theirs, nn.MSELoss(), theirs_moves)):
            moves.zero_grad()
            criterion(model(inputs), target).backward()
            moves.step()
    assert_close(list(ours.parameters()), list(theirs.parameters()))


def test_l2_is_not_the_weight_decay_of_adamw():
    """One step from w = 1 where the loss has the slopes 100 and 0.01, lr = 0.1, strength = decay = 0.5.

    AdamW's first step: w (1 − lr · decay) − lr · sign(slope) = 0.95 − 0.1, for both. Adam on the penalised loss:
    1 − lr · sign(slope + 0.5) = 0.9 for both: a first step has no size, and the penalty leaves no trace.
    """
    slopes = torch.tensor([[100.0, 0.01]])
    moved = {}
    for name, optimiser, strength in (
        ("AdamW", partial(torch.optim.AdamW, weight_decay=0.5), 0.0),
        ("Adam on L2", torch.optim.Adam, 0.5),
    ):
        model = nn.Linear(2, 1, bias=False)
        nn.init.ones_(model.weight)
        loss = Penalised(torch.sum, ParameterPenalty(l2, model), strength)
        moves = optimiser(model.parameters(), lr=0.1)
        loss(model(slopes)).backward()
        moves.step()
        moved[name] = model.weight.detach()
    assert_close(moved["AdamW"], torch.tensor([[0.85, 0.85]]))
    assert_close(moved["Adam on L2"], torch.tensor([[0.9, 0.9]]))


def test_under_a_balancer_the_penalty_is_part_of_its_task():
    torch.manual_seed(0)
    model = nn.ModuleDict({"trunk": nn.Linear(4, 3), "a": nn.Linear(3, 1), "b": nn.Linear(3, 1)})
    penalised = Penalised(nn.MSELoss(), ParameterPenalty(l2, model["trunk"]), 0.5)
    tasks = eq.Tasks([eq.Task("a", penalised), eq.Task("b", nn.MSELoss())])
    balancer = eq.Balancer(eq.Sum(), model, tasks=tasks)
    features = model["trunk"](torch.randn(8, 4))
    outputs = {name: model[name](features) for name in ("a", "b")}
    targets = {name: torch.randn(8, 1) for name in outputs}
    balancer(tasks.losses(outputs, targets)).backward(retain_graph=True)
    expected = sum(F.mse_loss(outputs[name], targets[name]) for name in outputs)
    expected = expected + 0.25 * model["trunk"].weight.square().sum()
    (gradient,) = torch.autograd.grad(expected, model["trunk"].weight)
    assert_close(model["trunk"].weight.grad, gradient)


def test_it_shows_its_arguments_and_ignores_what_its_loss_ignores():
    assert repr(Penalised(nn.MSELoss(), nn.Identity(), 0.1)) == "Penalised(MSELoss(), Identity(), strength=0.1)"
    assert Penalised(FocalLoss(ignore_index=255), l1, 0.1).ignore_index == 255
    assert Penalised(nn.MSELoss(), l1, 0.1).ignore_index is None


ONES = torch.ones(3)
MISUSES = [
    (lambda: Penalised(nn.MSELoss(), l1, -0.1), r"strength must be a finite number from 0 or a Schedule, got -0.1"),
    (lambda: Penalised(nn.MSELoss(), l1, float("nan")), r"strength must be a finite number from 0.*got nan"),
    (lambda: Penalised(nn.MSELoss(), l1, LinearSchedule), r"strength is a class: write LinearSchedule\(...\)"),
    (lambda: Penalised(nn.MSELoss(), l1, LearnedProportion()), r"strength must be .*got LearnedProportion"),
    (lambda: Penalised(nn.MSELoss, l1, 0.1), r"loss is a class: write MSELoss\(...\)"),
    (lambda: Penalised(nn.MSELoss(), 0.1, l1), r"penalty must be callable, got 0.1"),
    (lambda: Penalised(nn.MSELoss(), ParameterPenalty, 0.1), r"penalty is a class: write ParameterPenalty\(...\)"),
    (
        lambda: Penalised(nn.MSELoss(reduction="none"), l1, 0.1)(ONES, ONES),
        r"loss must return a scalar tensor, got shape \(3,\): give it reduction='mean'",
    ),
    (lambda: Penalised(nn.MSELoss(), torch.abs, 0.1)(ONES, ONES), r"penalty must return a scalar tensor, got shape"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
