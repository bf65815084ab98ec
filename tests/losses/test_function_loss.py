"""A loss as a class is its function: one mechanism for all that have no state of their own."""

import copy
import inspect
import pickle
from importlib import import_module

import pytest
import torch
from public import PUBLIC
from torch import Tensor, nn

from equipoise import losses
from equipoise.losses.module import FunctionLoss

CLASSES = [one for one in PUBLIC.values() if isinstance(one, type) and issubclass(one, FunctionLoss)]
POSTPONED = """
from __future__ import annotations

from torch import Tensor

from equipoise.losses.module import FunctionLoss


class Scaled(FunctionLoss):
    function = staticmethod(lambda values, weight: values if weight is None else weight * values)
    weight: Tensor | None = None
"""
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


def test_a_subclass_of_a_loss_is_an_ordinary_class():
    class Own(losses.FocalLoss):
        mask: Tensor

        def __init__(self) -> None:
            super().__init__(gamma=1.0)
            self.register_buffer("mask", torch.ones(2))

    class Named(losses.FocalLoss):
        name: str = "focal"
        running: Tensor

        def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
            self.running = super().forward(logits, targets)
            return 2 * self.running

    class Counting(nn.Module):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)
            self.calls = 0

    class Mixed(Counting, losses.FocalLoss):
        pass

    logits, targets = torch.zeros(1, 2), torch.tensor([1])
    assert Own().gamma == 1.0
    assert Mixed(1.0).calls == 0
    named = Named(1.0)
    assert named.arguments.keys() == losses.FocalLoss().arguments.keys()
    assert named(logits, targets) == 2 * named.running == 2 * losses.focal(logits, targets, gamma=1.0)


def test_a_subclass_with_a_function_of_its_own_has_further_arguments():
    class Wider(losses.IoULoss):
        function = staticmethod(lambda boxes, targets, *, reduction, margin: boxes * margin)
        margin: float = 0.5

    assert Wider("sum", 0.25).arguments == {"reduction": "sum", "margin": 0.25}


def test_annotations_may_be_postponed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "postponed_loss.py").write_text(POSTPONED)
    scaled = import_module("postponed_loss").Scaled
    assert scaled(weight=torch.ones(2)).state_dict().keys() == {"weight"}
    assert dict(scaled().named_buffers(remove_duplicate=False)) == {}
    assert not hasattr(scaled, "weight")


@pytest.mark.parametrize(
    ("cls", "tensors"),
    [
        (losses.FocalLoss, ["logits", "targets"]),
        (losses.IoULoss, ["prediction", "target"]),
        (losses.SILogLoss, ["prediction", "target", "mask"]),
    ],
)
def test_forward_shows_the_tensors_that_it_takes(cls, tensors):
    names = list(inspect.signature(cls().forward).parameters)
    assert names == tensors


def test_what_the_function_takes_by_name_alone_is_taken_by_place_too():
    logits, targets = torch.tensor([[1.0, -2.0]]), torch.ones(1, 2)
    loss, mask = losses.BinaryFocalTverskyLoss(gamma=1.5), torch.tensor([[True, False]])
    expected = losses.binary_focal_tversky(logits, targets, mask=mask, gamma=1.5)
    assert loss(logits, targets, mask) == loss(logits, targets, mask=mask) == expected
    assert expected != loss(logits, targets) == loss(logits, targets, None)
    with pytest.raises(TypeError, match="takes 2 positional arguments but 3"):
        loss(logits, targets, mask, mask)
    with pytest.raises(TypeError, match="multiple values for keyword argument 'mask'"):
        loss(logits, targets, mask, mask=mask)


def test_masked_hands_its_mask_to_a_function_that_takes_one():
    class Counted(FunctionLoss):
        function = staticmethod(lambda output, target, *, mask, scale: scale * mask.sum())
        scale: float = 1.0

    class OfTorch(FunctionLoss):
        function = staticmethod(torch.dist)  # shows no signature
        p: float = 2.0

    values = torch.tensor([1.0, torch.nan, 2.0])
    assert losses.Masked(Counted(2.0))(torch.zeros(3), values) == 4.0
    assert OfTorch(1.0)(torch.zeros(2), torch.ones(2)) == 2.0


@pytest.mark.needs("whole_graphs")
def test_a_loss_is_compiled_whole_and_exported():
    loss, given = losses.FocalLoss(1.0, weight=torch.ones(3)), (torch.zeros(4, 3), torch.tensor([0, 1, 2, 0]))
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    assert torch.equal(compiled(*given), loss(*given))
    assert torch.equal(torch.export.export(loss, given).module()(*given), loss(*given))
