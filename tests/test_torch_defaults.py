"""PyTorch's default device and dtype are a trainer's to set; what a balancer keeps does not follow them."""

import warnings

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import equipoise as eq

NAMES = ["a", "b", "c"]
METHODS = {row.name: lambda row=row: row.make(3) for row in eq.methods()} | {
    "wrapped": lambda: eq.Every(2, eq.Bounded(0.1, None, eq.NashMTL(preference=[1.0, 2.0, 1.0]))),
    "smooth": lambda: eq.Smooth(0.9, eq.DWA()),
    "warmup": lambda: eq.Warmup(1, eq.FreezeAfter(1, eq.UW())),
    "preconditioned": lambda: eq.Preconditioned(eq.MGDA()),
}


def set_defaults(device, dtype):
    torch.set_default_device(device)
    torch.set_default_dtype(dtype)


@pytest.fixture(autouse=True)
def given_back():
    yield
    set_defaults(None, torch.float32)


def trained(make, device, dtype):
    """Gradients and state after a few steps, where the defaults are these while a balancer is made and used."""
    set_defaults("cpu", torch.float32)
    torch.manual_seed(0)
    model = nn.ModuleDict({"trunk": nn.Linear(4, 8)} | {name: nn.Linear(8, 1) for name in NAMES})
    x, loss = torch.randn(6, 4), torch.tensor(0.5)
    set_defaults(device, dtype)
    balancer = eq.Balancer(make(), model, tasks=dict(zip(NAMES, (1.0, 2.0, 1.0), strict=True)))
    for n_micro in (1, 1, 2):
        balancer.accumulate(n_micro)
        for _ in range(n_micro):
            z = model["trunk"](x).tanh()
            (balancer({name: (model[name](z) - 1).square().mean() for name in NAMES}) / n_micro).backward()
        balancer.after_step(dict.fromkeys(NAMES, loss))
        balancer.observe({"a": 0.3, "b": 0.2, "c": 0.1})
        balancer.end_epoch()
    balancer.record.to_dict()
    return [p.grad for p in model.parameters()], {k: v for k, v in balancer.state_dict().items() if "extra" not in k}


@pytest.mark.paired
@pytest.mark.parametrize(("device", "dtype"), [("meta", torch.float32), ("cpu", torch.bfloat16)], ids=str)
@pytest.mark.parametrize("name", METHODS)
def test_any_default_gives_the_same_steps_and_the_same_state(name, device, dtype):
    """The device "meta" holds no number, so that whatever is left to the default shows."""
    warnings.simplefilter("ignore")  # of users' weights that a method ignores
    assert_close(trained(METHODS[name], device, dtype), trained(METHODS[name], "cpu", torch.float32), equal_nan=True)


def test_the_doctor_looks_with_any_default():
    pages = []
    for device, dtype in [("cpu", torch.float32), ("meta", torch.bfloat16)]:
        set_defaults("cpu", torch.float32)
        torch.manual_seed(0)
        model = nn.ModuleDict({"trunk": nn.Linear(4, 8)} | {name: nn.Linear(8, 1) for name in NAMES})
        z = model["trunk"](torch.randn(6, 4)).tanh()
        losses = {name: (model[name](z) - 1).square().mean() for name in NAMES}
        set_defaults(device, dtype)
        pages.append(str(eq.doctor(model, eq.Balancer(eq.MGDA(), model, tasks=NAMES), losses)))
    assert pages[0] == pages[1]


@pytest.mark.parametrize("make", [eq.UW, eq.DWA, eq.MGDA, eq.MoCo], ids=lambda make: make.__name__)
def test_a_model_that_gets_its_numbers_later(make):
    with torch.device("meta"):
        model = nn.ModuleDict({"trunk": nn.Linear(4, 8)} | {name: nn.Linear(8, 1) for name in NAMES})
        balancer = eq.Balancer(make(), model, tasks=NAMES)
    model.to_empty(device="cpu")
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    z = model["trunk"](torch.ones(2, 4)).tanh()
    balancer({name: (model[name](z) - 1).square().mean() for name in NAMES}).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
