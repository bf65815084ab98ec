"""Two processes on their parts learn what one learns on the whole batch: loss and gradients."""

import copy
import os

import pytest
import torch
from torch import distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel
from torch.testing import assert_close

from equipoise.losses.alignment import InfoNCELoss, SigLIPLoss
from equipoise.losses.gather import gather_with_gradient
from equipoise.losses.redundancy import VICRegLoss


class Both(nn.Module):
    """Two towers."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 4).double(), nn.Linear(5, 4).double()

    def forward(self, images, texts):
        return self.first(images), self.second(texts)


def check_in_a_group(rank, path, check):
    """Runs ``check(rank)`` as one of two processes; what it raises ends both."""
    distributed.init_process_group("gloo", init_method=f"file://{path}", rank=rank, world_size=2)
    check(rank)
    distributed.barrier()
    distributed.destroy_process_group()
    os._exit(0)  # threads of the process group may abort the interpreter's own end


def rows_come_in_order_and_gradients_are_summed(rank):
    for sizes in ((2, 2), (3, 1), (0, 2)):
        start = sum(sizes[:rank])
        every = torch.arange(3.0 * sum(sizes)).reshape(-1, 3)
        own = every[start : start + sizes[rank]].clone().requires_grad_()
        rows = gather_with_gradient(own)
        assert type(rows) is torch.Tensor
        assert torch.equal(rows, every)
        weight = torch.randn(every.shape, generator=torch.Generator().manual_seed(0))
        ((rank + 1) * weight * rows).sum().backward()
        assert_close(own.grad, 3 * weight[start : start + sizes[rank]])  # 1 + 2, from both processes
        labels = torch.arange(sum(sizes))
        assert torch.equal(gather_with_gradient(labels[start : start + sizes[rank]]), labels)


def both_learn_the_joint_batch(rank):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(8, 6, generator=generator, dtype=torch.float64)
    texts = torch.randn(8, 5, generator=generator, dtype=torch.float64)
    torch.manual_seed(0)
    alone = Both()
    for part in ([slice(0, 4), slice(4, 8)], [slice(0, 5), slice(5, 8)]):
        for loss in (InfoNCELoss().double(), SigLIPLoss().double()):
            whole_model, whole_loss = copy.deepcopy(alone), copy.deepcopy(loss)
            whole_loss.gather = False
            expected = whole_loss(whole_model(images, texts))
            expected.backward()
            model = DistributedDataParallel(copy.deepcopy(alone))
            actual = loss(model(images[part[rank]], texts[part[rank]]))
            actual.backward()
            assert_close(actual, expected)
            for one, other in zip(model.module.parameters(), whole_model.parameters(), strict=True):
                assert_close(one.grad, other.grad)
            for one, other in zip(loss.parameters(), whole_loss.parameters(), strict=True):
                assert_close(one.grad, other.grad)  # without an exchange of its own


def losses_without_the_argument_are_gathered_by_hand(rank):
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(6, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    own = slice(0, 4) if rank == 0 else slice(4, 6)
    actual = VICRegLoss()((gather_with_gradient(first[own]), gather_with_gradient(second[own])))
    assert_close(actual, VICRegLoss()((first, second)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "check",
    [
        rows_come_in_order_and_gradients_are_summed,
        both_learn_the_joint_batch,
        losses_without_the_argument_are_gathered_by_hand,
    ],
)
def test_two_processes(check, tmp_path):
    """``spawn`` raises what a process raises."""
    multiprocessing.spawn(check_in_a_group, (str(tmp_path / "meeting"), check), nprocs=2)


def test_without_a_group_the_tensor_itself():
    tensor = torch.randn(3, 2)
    assert gather_with_gradient(tensor) is tensor


def test_a_process_alone_in_its_group(tmp_path):
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'meeting'}", rank=0, world_size=1)
    try:
        tensor = torch.randn(3, 2, 4).mT.requires_grad_()  # not contiguous
        rows = gather_with_gradient(tensor)
        assert torch.equal(rows, tensor)
        rows.square().sum().backward()
        assert_close(tensor.grad, 2 * tensor.detach())
        assert gather_with_gradient(torch.randn(0, 2)).shape == (0, 2)
    finally:
        distributed.destroy_process_group()


MISUSES = [
    (lambda: gather_with_gradient(torch.tensor(1.0)), r"tensor must have shape \[n, ...\], got \(\)"),
    (lambda: gather_with_gradient([1.0]), r"tensor must be a tensor, got list"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
