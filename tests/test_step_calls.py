"""A step makes few Python calls and operations, and waits for a device once at most: counted, not timed."""

import sys
from pathlib import Path

import pytest
import torch

import equipoise as eq

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from models import build
from pretended_device import DEVICE, PretendedDevice
from step_calls import CONTENDERS, count, targets

OFTEN = ("sum", "uw", "famo", "mgda", "nash-mtl", "adatask")
READS = {  # methods that read more than once, and how often: theirs is a decision of their own on the device
    "go4align": 1,
    "loss-scale": 2,
    "metabalance": 2,
    "graddrop": 2,
    "moco": 2,
    "excess-mtl": 2,
    "db-mtl": 2,
    "lr-annealing": 5,
}


def device_of_step(row, *, num_tasks=3, **options):
    """The device after a step of a method with all tensors on it, the third of its balancer."""
    with PretendedDevice() as device:
        problem = build("mlp-width-64", num_tasks)
        device.put(problem)
        balancer = eq.Balancer(row.make(num_tasks), problem, tasks=problem.names, **options)
        for _ in range(3):
            device.reads.clear()
            problem.zero_grad()
            balancer(problem()[1]).backward()
            assert all(device.holds(p.grad) for p in problem.parameters())
        return device


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=row.name, marks=() if row.name in OFTEN else pytest.mark.slow) for row in eq.methods()],
)
def test_a_step_copies_from_the_device_once_at_most(row):
    most = 0 if issubclass(row.cls, eq.Weighting) else 1
    assert len(device_of_step(row).reads) == READS.get(row.name, most)


@pytest.mark.parametrize("options", [{"route": "rows"}, {"route": "factored"}, {"num_tasks": 10}, {"probe_every": 1}])
def test_a_step_copies_once_whatever_the_route_and_the_number_of_tasks(options):
    row = next(row for row in eq.methods() if row.name == "mgda")
    assert len(device_of_step(row, **options).reads) == 1


@pytest.mark.parametrize("num_tasks", [3, 10])
def test_a_step_meets_its_targets(num_tasks):
    found = {name: count("mlp", num_tasks, make) for name, make in CONTENDERS.items()}
    assert not [(what, value, most) for what, value, most in targets(num_tasks, found) if value > most]


@pytest.mark.parametrize(
    "read",
    [float, bool, torch.Tensor.item, torch.Tensor.cpu, torch.Tensor.tolist, lambda x: x.to("cpu", torch.float64)],
    ids=["float", "bool", "item", "cpu", "tolist", "to"],
)
def test_what_brings_a_number_to_the_host_is_counted(read):
    with PretendedDevice() as device:
        number = torch.ones(3, device=DEVICE).sum()
        assert number.device == DEVICE
        assert device.reads == []
        read(number)
        assert len(device.reads) == 1


def test_what_no_device_does_raises():
    with PretendedDevice() as device:
        there, here = torch.ones(3, device=DEVICE), torch.ones(3)
        with pytest.raises(RuntimeError, match="on the device and on the host"):
            there + here
        with pytest.raises(TypeError, match="numpy"):
            there.numpy()
        assert device.holds(there * here.sum())  # plain numbers go along
