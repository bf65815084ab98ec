"""The networks on which a step's cost is measured: a trunk, its representation, K linear heads."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

_HEAD_WIDTH = 4


class Problem(nn.Module):
    """A trunk with K heads, and one batch with its labels.

    Args:
        trunk: From the batch to the representation [N, D].
        batch: The trunk's input, N entries.
        width: D.
        num_tasks: K.
    """

    batch: Tensor
    labels: Tensor

    def __init__(self, trunk: nn.Module, batch: Tensor, width: int, num_tasks: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.heads = nn.ModuleList(nn.Linear(width, _HEAD_WIDTH) for _ in range(num_tasks))
        self.register_buffer("batch", batch)  # buffers, so that ``double`` converts them too
        self.register_buffer("labels", torch.randn(num_tasks, len(batch), _HEAD_WIDTH))
        self.names = [f"task {k}" for k in range(num_tasks)]

    @property
    def shared_size(self) -> int:
        """P, the numbers in the trunk."""
        return sum(parameter.numel() for parameter in self.trunk.parameters())

    def forward(self) -> tuple[Tensor, dict[str, Tensor]]:
        """The representation [N, D] and the K losses."""
        representation = self.trunk(self.batch)
        return representation, {
            name: functional.mse_loss(head(representation), label)
            for name, head, label in zip(self.names, self.heads, self.labels, strict=True)
        }


def mlp(num_tasks: int, *, size: int = 64, width: int = 1024) -> Problem:
    """256-1024-1024-192, N = 64: P = 1.5 million, few operations per parameter."""
    trunk = nn.Sequential(
        nn.Linear(256, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 192), nn.ReLU()
    )
    return Problem(trunk, torch.randn(size, 256), 192, num_tasks)


def text(num_tasks: int) -> Problem:
    """128 documents, each the mean of 60 tokens' vectors, tokens uniform among V = 50,000: P = 3.2 million."""
    trunk = nn.Sequential(nn.EmbeddingBag(50_000, 64, mode="mean"), nn.Linear(64, 128), nn.ReLU())
    return Problem(trunk, torch.randint(50_000, (128, 60)), 128, num_tasks)


def convolutional(num_tasks: int) -> Problem:
    """Five convolutions with batch norm on 3 x 32 x 32 images, N = 32: P = 0.3 million, many operations for each."""
    channels = [3, 32, 64, 64, 128, 128]
    layers: list[nn.Module] = []
    for i, (narrow, wide) in enumerate(pairwise(channels)):
        stride = 1 if i == 0 else 2
        layers += [nn.Conv2d(narrow, wide, 3, stride, padding=1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()]
    trunk = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Problem(trunk, torch.randn(32, 3, 32, 32), channels[-1], num_tasks)


class _Mean(nn.Module):
    def forward(self, tokens: Tensor) -> Tensor:
        return tokens.mean(dim=1)


def transformer(
    num_tasks: int, *, num_layers: int = 3, width: int = 128, size: int = 16, positions: int = 48
) -> Problem:
    """A three-layer encoder of width 128 on 48 positions, N = 16: P = 0.6 million."""
    # no dropout, so that every contender differentiates the same function
    layer = nn.TransformerEncoderLayer(width, 4, dim_feedforward=4 * width, dropout=0.0, batch_first=True)
    trunk = nn.Sequential(nn.TransformerEncoder(layer, num_layers), _Mean())
    return Problem(trunk, torch.randn(size, positions, width), width, num_tasks)


class LanguageModel(nn.Module):
    """GPT-2 with K losses of its logits, as of teachers or data sets; its table of tokens is its output layer.

    Args:
        num_tasks: K.
        vocabulary: V, the rows of the table.
        width: D.
        size: Sequences in the batch.
        positions: Tokens of each.
    """

    def __init__(self, num_tasks: int, vocabulary: int, width: int, size: int, positions: int) -> None:
        from transformers import GPT2Config, GPT2LMHeadModel  # an extra: equipoise[trainers]

        super().__init__()
        dropout = {f"{place}_pdrop": 0.0 for place in ("resid", "embd", "attn")}
        config = GPT2Config(
            vocab_size=vocabulary,
            n_positions=positions,
            n_embd=width,
            n_layer=2,
            n_head=4,
            bos_token_id=0,
            eos_token_id=0,
            **dropout,
        )
        self.trunk = GPT2LMHeadModel(config)
        self.heads = nn.ModuleList(nn.Identity() for _ in range(num_tasks))
        self.register_buffer("tokens", torch.randint(vocabulary, (size, positions)))
        self.register_buffer("labels", torch.randint(vocabulary, (num_tasks, size * positions)))
        self.names = [f"task {k}" for k in range(num_tasks)]

    @property
    def shared_size(self) -> int:
        """P, the numbers of all parameters, the table once."""
        return sum(parameter.numel() for parameter in self.trunk.parameters())

    def forward(self) -> tuple[Tensor, dict[str, Tensor]]:
        """The logits [N, V] and the K losses."""
        logits = self.trunk(self.tokens).logits.flatten(0, 1)
        return logits, {
            name: functional.cross_entropy(head(logits), label)
            for name, head, label in zip(self.names, self.heads, self.labels, strict=True)
        }


class Pinn(nn.Module):
    """Burgers' equation: tanh, 4 x 50, 1,000 points; losses of the equation, of the initial state, of K - 2 boundaries.

    It has no representation that all losses pass.
    """

    points: Tensor

    def __init__(self, num_tasks: int) -> None:
        super().__init__()
        if num_tasks < 3:
            raise ValueError(f"a PINN has at least 3 losses, got num_tasks={num_tasks}")
        widths = [2, 50, 50, 50, 50]
        hidden = [part for pair in pairwise(widths) for part in (nn.Linear(*pair), nn.Tanh())]
        self.trunk = nn.Sequential(*hidden, nn.Linear(50, 1))
        self.heads = nn.ModuleList(nn.Identity() for _ in range(num_tasks))
        self.register_buffer("points", torch.rand(1000, 2) * 2 - 1)
        self.names = ["equation", "initial", *[f"boundary {k}" for k in range(2, num_tasks)]]

    @property
    def shared_size(self) -> int:
        """P."""
        return sum(parameter.numel() for parameter in self.trunk.parameters())

    def forward(self) -> tuple[Tensor, dict[str, Tensor]]:
        """u at the points and the losses."""
        inside = self.points.requires_grad_()
        u = self.trunk(inside)
        (slopes,) = torch.autograd.grad(u.sum(), inside, create_graph=True)
        (curved,) = torch.autograd.grad(slopes[:, 0].sum(), inside, create_graph=True)
        equation = slopes[:, 1] + u[:, 0] * slopes[:, 0] - 0.01 / torch.pi * curved[:, 0]
        x, t = self.points.detach()[:200].unbind(1)
        edge = self.trunk(torch.stack([x.sign(), t], dim=1))
        start = self.trunk(torch.stack([x, -torch.ones_like(x)], dim=1))[:, 0] + torch.sin(torch.pi * x)
        edges = [part.square().mean() for part in edge.tensor_split(len(self.names) - 2)]
        losses = [equation.square().mean(), start.square().mean(), *edges]
        return u, dict(zip(self.names, losses, strict=True))


class Mmoe(nn.Module):
    """Eight experts on 512 rows of 40 columns, a gate and a tower for each task."""

    batch: Tensor
    labels: Tensor

    def __init__(self, num_tasks: int, num_experts: int = 8) -> None:
        super().__init__()
        self.trunk = nn.ModuleList(nn.Sequential(nn.Linear(40, 64), nn.ReLU()) for _ in range(num_experts))
        self.heads = nn.ModuleList(
            nn.ModuleDict({"gate": nn.Linear(40, num_experts), "tower": nn.Linear(64, 1)}) for _ in range(num_tasks)
        )
        self.register_buffer("batch", torch.randn(512, 40))
        self.register_buffer("labels", (torch.rand(num_tasks, 512) < 0.3).float())
        self.names = [f"task {k}" for k in range(num_tasks)]

    @property
    def shared_size(self) -> int:
        """P, the numbers of the experts."""
        return sum(parameter.numel() for parameter in self.trunk.parameters())

    def forward(self) -> tuple[Tensor, dict[str, Tensor]]:
        """The experts' outputs [N, experts, D] and the K losses."""
        experts = torch.stack([expert(self.batch) for expert in self.trunk], dim=1)
        losses = {}
        for name, head, label in zip(self.names, self.heads, self.labels, strict=True):
            shares = head["gate"](self.batch).softmax(dim=1)
            mixed = (shares.unsqueeze(2) * experts).sum(dim=1)
            losses[name] = functional.binary_cross_entropy_with_logits(head["tower"](mixed)[:, 0], label)
        return experts, losses


Network = Problem | LanguageModel | Pinn | Mmoe
MODELS: dict[str, Callable[[int], Network]] = {
    "mlp": mlp,
    "mlp-256": partial(mlp, size=256),
    "mlp-512": partial(mlp, size=512),
    **{f"mlp-width-{width}": partial(mlp, width=width) for width in (64, 128, 256, 512, 2048)},
    "text": text,
    "conv": convolutional,
    "transformer": transformer,
    "transformer-256": partial(transformer, num_layers=2, width=256, size=32, positions=64),  # P = 1.6 million
    "transformer-64": partial(transformer, num_layers=2, width=64),  # P = 0.1 million
    "gpt2-8k": partial(LanguageModel, vocabulary=8192, width=256, size=2, positions=32),  # P = 3.7 million
    "gpt2-32k": partial(LanguageModel, vocabulary=32_768, width=256, size=4, positions=32),  # P = 10 million
    "pinn": Pinn,
    "mmoe": Mmoe,
}


def build(model: str, num_tasks: int) -> Network:
    """The network and its batch, always the same numbers."""
    torch.manual_seed(0)
    return MODELS[model](num_tasks)
