"""Heads by task, and the plainest network that has them: one encoder for all."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.names import nearest


class Headed(nn.Module):
    """y_k = h_k(x_k): a head for each task, on the task's own features, by the task's name, whatever the name."""

    heads: nn.ModuleDict
    names: tuple[str, ...]

    def take_heads(self, heads: Mapping[str, nn.Module]) -> None:
        """Register the heads: from features to a task's output; called once, by the constructor.

        Raises:
            ValueError: If a ``FusionHead`` reads a task that is not there.
        """
        for name, head in heads.items():
            if isinstance(head, FusionHead) and (missing := [task for task in head.reads if task not in heads]):
                raise ValueError(f"the head of task {name!r} reads {missing[0]!r}; {nearest(missing[0], heads)}")
        self.heads = nn.ModuleDict({_key(name): head for name, head in heads.items()})
        self.names = tuple(heads)

    def head(self, name: str) -> nn.Module:
        """The head of a task."""
        return self.heads[_key(name)]

    def features(self, inputs: Any) -> dict[str, Any]:
        """x_k by task name."""
        raise NotImplementedError

    def forward(self, inputs: Any) -> dict[str, Tensor]:
        """The outputs by task name."""
        features, outputs = self.features(inputs), {}
        for name in self.names:
            head = self.head(name)
            own = [features[task] for task in head.reads] if isinstance(head, FusionHead) else features[name]
            outputs[name] = head(own)
        return outputs


class SharedEncoder(Headed):
    """x_k = f(x): hard sharing, every task's head reads the same representation.

    Caruana, Multitask Learning, Machine Learning 28, 1997.

    Args:
        encoder: f, from inputs to the representation.
        heads: h_k, from the representation to a task's output.
    """

    def __init__(self, encoder: nn.Module, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.encoder = encoder
        self.take_heads(heads)

    def features(self, inputs: Any) -> dict[str, Any]:
        """The one representation, for every task."""
        return dict.fromkeys(self.names, self.encoder(inputs))


class FusionHead(nn.Module):
    """y = h([x_a, x_b, ...]): a head that reads the features of several tasks side by side.

    Of use where tasks have features of their own: on a cross-stitch network, MMoE, PLE or MTAN.

    Args:
        reads: The tasks whose features it reads, each [N, D].
        head: From [N, D times their number] to the output.
    """

    def __init__(self, reads: Sequence[str], head: nn.Module) -> None:
        super().__init__()
        self.reads = tuple(reads)
        self.head = head

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """The output, from the features in the order of ``reads``."""
        output: Tensor = self.head(torch.cat(list(features), dim=1))
        return output


class MemberHead(nn.Module):
    """y = mean_m h(x_m): in evaluation the mean of what a head makes of a row's M members, one after another.

    While training, each row has a single member: y = h(x).

    Args:
        head: h, from [N, D] to [N, ...].
        members: M.
    """

    def __init__(self, head: nn.Module, members: int) -> None:
        super().__init__()
        self.head = head
        self.members = members

    def forward(self, features: Tensor) -> Tensor:
        """From [N, D], in evaluation [N * M, D], to [N, ...]."""
        output: Tensor = self.head(features)
        return output if self.training else output.unflatten(0, (-1, self.members)).mean(dim=1)


def _key(name: str) -> str:
    """The task's name, or one that a ``ModuleDict`` takes: it has no points and none of its own attributes."""
    if name.isidentifier() and not hasattr(nn.ModuleDict(), name):
        return name
    return f"task {name.replace('%', '%25').replace('.', '%2E')}"


def scalar_head(features: int, offset: float = 0.0) -> nn.Sequential:
    """A linear head from [N, features] to [N], with values around ``offset`` before training."""
    linear = nn.Linear(features, 1)
    with torch.no_grad():
        linear.bias.add_(offset)
    return nn.Sequential(linear, nn.Flatten(start_dim=0))
