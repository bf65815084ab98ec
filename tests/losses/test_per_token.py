"""The loss of the tokens one after another: value, gradient and divisor."""

import pytest
import torch
from laws import Case, laws_for
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

import equipoise as eq
from equipoise.losses import (
    BinaryFocalLoss,
    DiceLoss,
    FocalLoss,
    LDAMLoss,
    Mixed,
    Penalised,
    PerToken,
    SequenceCrossEntropyLoss,
    l2,
)

WEIGHT = torch.tensor([1.0, 2.0, 0.5, 3.0, 1.0], dtype=torch.float64)


def tags(n, generator):
    logits = torch.randn(n, 4, 5, generator=generator, dtype=torch.float64)
    targets = torch.randint(5, (n, 4), generator=generator)
    return logits, targets.masked_fill(torch.rand(n, 4, generator=generator) < 0.3, -100)


test_laws, _ = laws_for(
    [
        Case("tokens", PerToken(nn.CrossEntropyLoss()), tags, elementwise=False),
        Case("focal tokens", PerToken(FocalLoss()), tags, elementwise=False),
    ]
)

LOSSES = [
    nn.CrossEntropyLoss(weight=WEIGHT, label_smoothing=0.1),
    nn.MultiMarginLoss(),  # knows no ignore_index
    FocalLoss(weight=WEIGHT),
    LDAMLoss(torch.tensor([5, 4, 3, 2, 1])),
    DiceLoss(),
    lambda output, target: F.cross_entropy(output, target),
]


def test_in_a_task_numbers_are_padded_with_nan():
    tasks = eq.Tasks([eq.Task("pitch", PerToken(nn.MSELoss()))])
    targets = torch.tensor([[1.0, 2.0, torch.nan], [3.0, torch.nan, torch.nan], [torch.nan] * 3])
    found = tasks.losses({"pitch": torch.zeros(3, 3)}, {"pitch": targets})
    assert (found, found.counts) == ({"pitch": torch.tensor(14 / 3)}, {"pitch": 3})


@pytest.mark.parametrize("composed", [lambda loss: Penalised(loss, l2, 0.0), lambda loss: Mixed({"one": (1.0, loss)})])
def test_so_they_are_in_a_composition(composed):
    tasks = eq.Tasks([eq.Task("pitch", composed(PerToken(nn.MSELoss())))])
    targets = torch.tensor([[1.0, 2.0, torch.nan], [3.0, torch.nan, torch.nan]])
    assert tasks.losses({"pitch": torch.zeros(2, 3)}, {"pitch": targets}) == {"pitch": torch.tensor(14 / 3)}


def test_a_label_of_a_token_is_there_whole_or_not_at_all():
    targets = torch.tensor([[[1.0, 0.0], [torch.nan, 1.0]]])
    with pytest.raises(ValueError, match="target is NaN in a part of a token's label"):
        PerToken(nn.BCEWithLogitsLoss())(torch.zeros(1, 2, 2), targets)


@pytest.mark.parametrize("loss", [nn.MSELoss(), nn.L1Loss(), F.mse_loss])
def test_tokens_are_not_broadcast(loss):
    with pytest.raises(ValueError, match=r"must have the same shape, got .*: write output.squeeze\(-1\)"):
        PerToken(loss)(torch.zeros(2, 3, 1), torch.zeros(2, 3))


@pytest.mark.parametrize("loss", LOSSES)
def test_padding_and_transposing_are_not_needed(loss):
    logits, targets = tags(6, torch.Generator().manual_seed(1))
    logits.requires_grad_()
    there = targets != -100
    value, expected = PerToken(loss)(logits, targets), loss(logits[there], targets[there])
    assert_close(value, expected)
    (slope,), (by_hand,) = torch.autograd.grad(value, logits), torch.autograd.grad(expected, logits)
    assert_close(slope, by_hand)
    assert (slope[~there] == 0).all()


def test_of_cross_entropy_it_is_that_of_sequences():
    logits, targets = tags(6, torch.Generator().manual_seed(2))
    assert_close(PerToken(nn.CrossEntropyLoss())(logits, targets), SequenceCrossEntropyLoss()(logits, targets))


def test_numbers_and_several_labels_of_a_token():
    output = torch.tensor([[[1.0, 2.0], [3.0, 9.0]]])
    target = torch.tensor([[[0.0, 0.0], [torch.nan, torch.nan]]])
    assert PerToken(nn.MSELoss())(output, target) == 2.5
    assert_close(PerToken(BinaryFocalLoss())(output, target), BinaryFocalLoss()(output[:, 0], target[:, 0]))
    assert PerToken(nn.L1Loss())(torch.tensor([[1.0, 5.0]]), torch.tensor([[0.0, torch.nan]])) == 1.0


def test_the_divisor_is_that_of_the_tokens():
    logits, targets = tags(6, torch.Generator().manual_seed(3))
    known = targets[targets != -100]
    assert PerToken(nn.CrossEntropyLoss()).divisor(logits, targets) == len(known)
    for loss in (nn.CrossEntropyLoss(weight=WEIGHT), FocalLoss(weight=WEIGHT)):
        assert PerToken(loss).divisor(logits, targets) == pytest.approx(float(WEIGHT[known].sum()))
    assert PerToken(FocalLoss()).divisor(logits, torch.full_like(targets, -100)) == 0


def test_in_a_task_sequences_and_batches_without_a_tag_are_absent():
    logits, targets = tags(6, torch.Generator().manual_seed(4))
    targets[2] = -100
    tasks = eq.Tasks([eq.Task("slots", PerToken(nn.CrossEntropyLoss()))])
    losses = tasks.losses({"slots": logits}, {"slots": targets})
    assert_close(losses["slots"], F.cross_entropy(logits.transpose(1, 2), targets))
    assert losses.counts == {"slots": int((targets != -100).sum())}
    assert tasks.losses({"slots": logits}, {"slots": torch.full_like(targets, -100)}) == {}


def test_without_a_label_it_is_0_with_a_graph():
    logits = torch.randn(2, 3, 4, requires_grad=True)
    value = PerToken(nn.CrossEntropyLoss())(logits, torch.full((2, 3), -100))
    assert value == 0
    assert torch.equal(torch.autograd.grad(value, logits)[0], torch.zeros(2, 3, 4))


def test_it_ignores_what_its_loss_does():
    assert PerToken(nn.CrossEntropyLoss(ignore_index=0)).ignore_index == 0
    assert PerToken(nn.MultiMarginLoss()).ignore_index == -100


@pytest.mark.parametrize(
    ("output", "target", "message"),
    [
        (
            torch.zeros(2, 5, 3),
            torch.zeros(2, 3).long(),
            r"got \(2, 5, 3\) and \(2, 3\): write output.transpose\(1, 2\)",
        ),
        (torch.zeros(2, 5, 3), torch.zeros(2, 4).long(), r"the same B and T, got \(2, 5, 3\) and \(2, 4\)$"),
        (torch.zeros(2, 5), torch.zeros(2).long(), r"target must have shape \[B, T, \.\.\.\], got \(2,\)"),
        (torch.zeros(2, 3, 5), [[0]], "target must be a tensor, got list"),
    ],
)
def test_wrong_shapes_are_refused(output, target, message):
    with pytest.raises(ValueError, match=message):
        PerToken(nn.CrossEntropyLoss())(output, target)


def test_a_loss_that_does_not_reduce_is_refused():
    with pytest.raises(ValueError, match="loss must return a scalar tensor, got shape"):
        PerToken(nn.CrossEntropyLoss(reduction="none"))(torch.zeros(1, 3, 4), torch.zeros(1, 3).long())
    with pytest.raises(ValueError, match="loss is a class"):
        PerToken(nn.CrossEntropyLoss)


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), FocalLoss()])
def test_a_task_with_classes_last_is_told_of_it(loss):
    tasks = eq.Tasks([eq.Task("slots", loss)])
    with pytest.raises((ValueError, RuntimeError)) as caught:
        tasks.losses({"slots": torch.zeros(2, 3, 5)}, {"slots": torch.zeros(2, 3).long()})
    (note,) = caught.value.__notes__
    assert "PerToken" in note
