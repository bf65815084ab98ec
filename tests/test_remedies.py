"""What a newcomer writes to torch's losses, and what he is told."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

import equipoise as eq
from equipoise.losses import BinaryFocalLoss, FocalLoss, Mixed, ParameterPenalty, Penalised, l1
from equipoise.remedies import remedy


@pytest.mark.parametrize(
    "loss", [nn.MSELoss(), nn.L1Loss(), nn.HuberLoss(), nn.SmoothL1Loss(), F.mse_loss, F.l1_loss, F.huber_loss]
)
@pytest.mark.parametrize(("output", "target", "write"), [((4, 1), (4,), "output.squeeze"), ((4,), (4, 1), "target.sq")])
def test_nothing_broadcasts_in_a_task(loss, output, target, write):
    tasks = eq.Tasks([eq.Task("age", loss)])
    with pytest.raises(ValueError, match=rf"task 'age' must have the same shape, got .* write {write}"):
        tasks.losses({"age": torch.zeros(output)}, {"age": torch.zeros(target)})
    assert tasks.losses({"age": torch.zeros(output)}, {"age": torch.zeros(output)}) == {"age": 0}


def test_nothing_broadcasts_in_a_composition():
    penalty = ParameterPenalty(l1, nn.Linear(2, 2))
    for loss in (Penalised(nn.MSELoss(), penalty, strength=0.1), Mixed({"half": (0.5, nn.L1Loss())})):
        with pytest.raises(ValueError, match=r"the same shape, got \(4, 1\) and \(4,\): write output.squeeze"):
            eq.Tasks([eq.Task("age", loss)]).losses({"age": torch.zeros(4, 1)}, {"age": torch.zeros(4)})


@pytest.mark.parametrize("target", [(), (1,), (1, 3), (3,), (4, 1)])
def test_a_target_may_be_stretched_to_the_output(target):
    """As the one number of a least-squares GAN is, or what all samples share."""
    tasks = eq.Tasks([eq.Task("age", nn.MSELoss(), missing="loss")])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own
        assert tasks.losses({"age": torch.zeros(4, 3)}, {"age": torch.ones(target)}) == {"age": 1}


def test_a_loss_of_ones_own_may_broadcast():
    class Mine(nn.MSELoss):
        pass

    for loss in (Mine(), lambda output, target: (output - target).square().mean()):
        with (
            pytest.warns(UserWarning, match="broadcasting") if isinstance(loss, Mine) else pytest.MonkeyPatch.context()
        ):
            assert eq.Tasks([eq.Task("a", loss)]).losses({"a": torch.ones(4, 1)}, {"a": torch.zeros(4)}) == {"a": 1}


CLASSES = torch.tensor([0, 1, 2, 2])


@pytest.mark.parametrize(
    ("loss", "output", "target", "expected"),
    [
        (nn.BCEWithLogitsLoss(), torch.zeros(4), CLASSES, ": write target.float()"),
        (nn.BCEWithLogitsLoss(), torch.zeros(4, 1), torch.zeros(4), ": write output.squeeze(-1)"),
        (F.binary_cross_entropy, torch.zeros(4), torch.zeros(4, 1), ": write target.squeeze(-1)"),
        (nn.CrossEntropyLoss(), torch.zeros(4, 3), CLASSES.float(), ": write target.long()"),
        (F.cross_entropy, torch.zeros(4, 3), CLASSES.int(), ": write target.long()"),
        (nn.CrossEntropyLoss(), torch.zeros(4, 2), CLASSES, ": output (4, 2) has classes 0 to 1, target 2"),
        (nn.CrossEntropyLoss(), torch.zeros(4, 3), CLASSES - 1, ": target -1 is no class; a missing label is -100"),
        (nn.CrossEntropyLoss(), torch.zeros(4, 3), CLASSES[:, None], ": write target.squeeze(-1)"),
        (nn.CrossEntropyLoss(), CLASSES, torch.zeros(4, 3), ": outputs come before targets"),
        (
            FocalLoss(),
            torch.zeros(2, 5, 3),
            torch.zeros(2, 5).long(),
            ": output (2, 5, 3) has the classes last, so write",
        ),
        (lambda output, target: None, torch.zeros(4, 1), torch.zeros(4), ""),
        (nn.CrossEntropyLoss(), torch.zeros(4, 3), torch.zeros(4, 2), ""),
    ],
)
def test_what_to_write_instead(loss, output, target, expected):
    assert remedy(loss, [output, target]).startswith(expected)
    assert bool(remedy(loss, [output, target])) == bool(expected)
    assert remedy(loss, [output]) == ""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        eq.Tasks([eq.Task("a", loss)]).losses({"a": output}, {"a": target})
    if expected:
        assert caught.value.__notes__[0].startswith(f"in the loss of task 'a'{expected}")


@pytest.mark.parametrize(
    ("loss", "activate", "activation"),
    [
        (nn.BCEWithLogitsLoss(), torch.sigmoid, "sigmoid"),
        (F.binary_cross_entropy_with_logits, lambda x: x[:, None].sigmoid().squeeze(1), "sigmoid"),
        (BinaryFocalLoss(), torch.sigmoid, "sigmoid"),
        (nn.CrossEntropyLoss(), lambda x: x.view(2, 2).softmax(1), "softmax"),
    ],
)
def test_an_activation_before_a_loss_of_logits_is_told_once(loss, activate, activation):
    x = torch.zeros(4, requires_grad=True)
    output = activate(x)
    target = torch.zeros(len(output)) if output.dim() == 1 else torch.zeros(len(output), dtype=torch.int64)
    tasks = eq.Tasks([eq.Task("a", loss)])
    with pytest.warns(UserWarning, match=f"'a' comes from a {activation}, and its loss has one in it") as caught:
        tasks.losses({"a": output}, {"a": target})
        tasks.losses({"a": output}, {"a": target})
    assert len(caught) == 1


@pytest.mark.parametrize("loss", [nn.BCELoss(), nn.MSELoss(), lambda output, target: (output - target).mean()])
def test_an_activation_before_a_loss_of_probabilities_is_not(loss):
    output = torch.zeros(4, requires_grad=True).sigmoid()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        eq.Tasks([eq.Task("a", loss)]).losses({"a": output}, {"a": torch.zeros(4)})
        logits = torch.zeros(4, requires_grad=True).sigmoid() * 2
        eq.Tasks([eq.Task("a", nn.BCEWithLogitsLoss())]).losses({"a": logits}, {"a": torch.zeros(4)})
