"""Networks of every shape that a balancer meets; each is built and run from a fixed seed."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.checkpoint import checkpoint


@dataclass
class Case:
    """A network, the losses of one batch, and the tensor between trunk and heads where there is one."""

    model: nn.Module
    losses: dict[str, Tensor]
    representation: Tensor | None = None


def _trunk(width: int = 6) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())


def _heads(width: int = 6, num_tasks: int = 3) -> nn.ModuleDict:
    return nn.ModuleDict({f"t{k}": nn.Linear(width, 2) for k in range(num_tasks)})


def _squares(outputs: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: (10.0**k * (out - k) ** 2).mean() for k, (name, out) in enumerate(outputs.items())}


def mlp() -> Case:
    model = nn.ModuleDict({"trunk": _trunk(), "heads": _heads()})
    z = model["trunk"](torch.randn(5, 4))
    return Case(model, _squares({name: head(z) for name, head in model["heads"].items()}), z)


def skip_around() -> Case:
    """The third head reads the first layer too, past the representation."""
    model = nn.ModuleDict({"first": nn.Linear(4, 6), "second": nn.Linear(6, 6), "heads": _heads()})
    hidden = torch.tanh(model["first"](torch.randn(5, 4)))
    z = torch.tanh(model["second"](hidden))
    outputs = {name: head(z + hidden if name == "t2" else z) for name, head in model["heads"].items()}
    return Case(model, _squares(outputs), z)


def tied_weights() -> Case:
    """One weight in two modules, and a head that reuses it."""
    model = nn.ModuleDict({"a": nn.Linear(4, 4), "b": nn.Linear(4, 4), "heads": _heads(4)})
    model["b"].weight = model["a"].weight
    z = torch.tanh(model["b"](torch.tanh(model["a"](torch.randn(5, 4)))))
    outputs = {name: head(z) for name, head in model["heads"].items()}
    outputs["t1"] = outputs["t1"] + z @ model["a"].weight[:2].T
    return Case(model, _squares(outputs), z)


def shared_by_some() -> Case:
    """A block that two of three tasks share, behind the representation."""
    model = nn.ModuleDict({"trunk": _trunk(), "block": nn.Linear(6, 6), "heads": _heads()})
    z = model["trunk"](torch.randn(5, 4))
    behind = torch.tanh(model["block"](z))
    outputs = {name: head(behind if name != "t0" else z) for name, head in model["heads"].items()}
    return Case(model, _squares(outputs), z)


def own_encoders() -> Case:
    """A shared core between encoders and heads that belong to one task each."""
    model = nn.ModuleDict(
        {"enc": nn.ModuleDict({f"t{k}": nn.Linear(4, 6) for k in range(3)}), "core": nn.Linear(6, 6), "heads": _heads()}
    )
    outputs = {
        name: head(torch.tanh(model["core"](torch.tanh(model["enc"][name](torch.randn(5, 4))))))
        for name, head in model["heads"].items()
    }
    return Case(model, _squares(outputs))


def convolutional() -> Case:
    model = nn.ModuleDict(
        {
            "trunk": nn.Sequential(
                nn.Conv2d(3, 4, 3, bias=False),
                nn.BatchNorm2d(4),
                nn.ReLU(inplace=True),
                nn.Conv2d(4, 6, 3),
                nn.ReLU(),
                nn.Flatten(),
            ),
            "heads": _heads(24),
        }
    )
    z = model["trunk"](torch.randn(4, 3, 6, 6))
    return Case(model, _squares({name: head(z) for name, head in model["heads"].items()}), z)


def transformer() -> Case:
    layer = nn.TransformerEncoderLayer(6, 2, 8, dropout=0.1, batch_first=True)
    model = nn.ModuleDict({"embed": nn.Embedding(9, 6), "encoder": nn.TransformerEncoder(layer, 2), "heads": _heads()})
    z = model["encoder"](model["embed"](torch.randint(9, (3, 5))))
    return Case(model, _squares({name: head(z.mean(1)) for name, head in model["heads"].items()}), z)


def recurrent() -> Case:
    model = nn.ModuleDict({"lstm": nn.LSTM(4, 6, batch_first=True), "heads": _heads()})
    z = model["lstm"](torch.randn(3, 5, 4))[0]
    return Case(model, _squares({name: head(z[:, -1]) for name, head in model["heads"].items()}), z)


def checkpointed() -> Case:
    model = nn.ModuleDict({"trunk": _trunk(), "heads": _heads()})
    z = checkpoint(model["trunk"], torch.randn(5, 4), use_reentrant=False)
    return Case(model, _squares({name: head(z) for name, head in model["heads"].items()}), z)


def frozen_and_unused() -> Case:
    model = nn.ModuleDict({"trunk": _trunk(), "heads": _heads(), "unused": nn.Linear(2, 2)})
    model["trunk"][0].requires_grad_(False)
    z = model["trunk"](torch.randn(5, 4))
    return Case(model, _squares({name: head(z) for name, head in model["heads"].items()}), z)


def mixed_dtypes() -> Case:
    model = nn.ModuleDict({"trunk": _trunk(), "wide": nn.Linear(6, 6).double(), "heads": _heads().double()})
    z = torch.tanh(model["wide"](model["trunk"](torch.randn(5, 4)).double()))
    return Case(model, _squares({name: head(z) for name, head in model["heads"].items()}), z)


def constant_for_some() -> Case:
    """The first task reaches the trunk's weight through an operation whose gradient is undefined there."""

    class Blocked(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            return z.clone()

        @staticmethod
        def backward(ctx, gradient):
            return None

    model = nn.ModuleDict({"trunk": _trunk(), "heads": _heads()})
    z = model["trunk"](torch.randn(5, 4))
    outputs = {name: head(Blocked.apply(z) if name == "t0" else z) for name, head in model["heads"].items()}
    return Case(model, _squares(outputs), z)


def strided() -> Case:
    """Gradients of a transposed and expanded parameter come back non-contiguous."""
    model = nn.ModuleDict({"heads": _heads(4)})
    model.matrix = nn.Parameter(torch.randn(4, 4))
    model.scale = nn.Parameter(torch.randn(()))
    z = torch.tanh(torch.randn(5, 4) @ model.matrix.T * model.scale.expand(5, 4))
    return Case(model, _squares({name: head(z) for name, head in model["heads"].items()}), z)


def single_task() -> Case:
    model = nn.ModuleDict({"trunk": _trunk(), "heads": _heads(num_tasks=1)})
    z = model["trunk"](torch.randn(5, 4))
    return Case(model, {"t0": F.mse_loss(model["heads"]["t0"](z), torch.ones(5, 2))}, z)


ARCHITECTURES: list[Callable[[], Case]] = [
    mlp,
    skip_around,
    tied_weights,
    shared_by_some,
    own_encoders,
    convolutional,
    transformer,
    recurrent,
    checkpointed,
    frozen_and_unused,
    mixed_dtypes,
    constant_for_some,
    strided,
    single_task,
]


@pytest.fixture(params=ARCHITECTURES, ids=lambda make: make.__name__)
def case(request: pytest.FixtureRequest) -> Case:
    torch.manual_seed(3)
    return request.param()
