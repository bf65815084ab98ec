"""A loss as a class is its function: one mechanism for all that have no state of their own."""

import copy
import inspect
import pickle

import pytest
import torch
from public import PUBLIC
from torch import Tensor, nn

from equipoise import losses
from equipoise.losses.module import FunctionLoss

CLASSES = [one for one in PUBLIC.values() if isinstance(one, type) and issubclass(one, FunctionLoss)]
COUNTS = torch.tensor([3, 2, 1])


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_a_class_takes_the_arguments_of_its_function_with_the_same_defaults(cls):
    """What it does not take is given with the tensors, and so is an argument of ``forward``."""
    with_tensors = inspect.signature(cls.forward).parameters
    of_function = {
        name: one.default
        for name, one in inspect.signature(cls.function).parameters.items()
        if one.kind is inspect.Parameter.KEYWORD_ONLY and name not in with_tensors
    }
    of_class = inspect.signature(cls).parameters
    assert {name: one.default for name, one in of_class.items()} == of_function
    assert all(one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD for one in of_class.values())


def test_a_tensor_is_a_buffer_that_is_moved_saved_and_copied():
    loss = losses.LDAMLoss(COUNTS, weight=torch.ones(3))
    assert dict(loss.named_buffers()).keys() == loss.state_dict().keys() == {"class_counts", "weight"}
    assert loss.to(torch.float64).weight.dtype == torch.float64
    for twin in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert torch.equal(twin.class_counts, COUNTS)
        assert twin.weight.data_ptr() != loss.weight.data_ptr()
        assert repr(twin) == repr(loss) == "LDAMLoss(max_margin=0.5, scale=30.0, ignore_index=-100, reduction='mean')"


def test_a_tensor_that_is_not_given_is_a_buffer_of_none():
    assert losses.FocalLoss().weight is None
    assert not losses.FocalLoss().state_dict()
    assert not hasattr(losses.FocalLoss, "weight")  # where it would hide the buffer
    assert not list(losses.FocalLoss(weight=nn.Parameter(torch.ones(3))).parameters())


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: losses.FocalLoss(gama=1.0), TypeError, "unexpected keyword argument 'gama'"),
        (lambda: losses.LDAMLoss(), TypeError, "missing 1 required positional argument: 'class_counts'"),
        (lambda: losses.LDAMLoss([3, 2, 1]), ValueError, "class_counts must be a tensor, got list"),
        (lambda: losses.FocalLoss(-1.0), ValueError, "gamma must lie in"),
        (lambda: losses.IoULoss("men"), ValueError, "reduction must be 'none', 'mean' or 'sum', got 'men'"),
    ],
)
def test_a_wrong_argument_is_refused_when_the_loss_is_made(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_subclass_may_have_a_constructor_or_further_arguments():
    class Own(losses.FocalLoss):
        mask: Tensor

        def __init__(self) -> None:
            super().__init__(gamma=1.0)
            self.register_buffer("mask", torch.ones(2))

    class Wider(losses.IoULoss):
        margin: float = 0.5

    assert Own().gamma == 1.0
    assert Wider("sum", 0.25).arguments == {"reduction": "sum", "margin": 0.25}
