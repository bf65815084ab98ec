"""What a balancer was built with: held once, checked once, never changed."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import nn

from equipoise.arguments import short_repr
from equipoise.chain import Composite, Parts, split
from equipoise.gradients.plan import ROUTES
from equipoise.gradients.roles import Parameters
from equipoise.method import FEEDBACK, Method

Heads = Literal["raw", "weighted"]
Scale = Literal["sum", "paper"]
RouteName = Literal["auto", "rows", "batched", "factored", "low-memory"]
Monitoring = Literal["warn", "off"]


@dataclass(frozen=True, eq=False)
class Config:
    """The arguments of ``Balancer`` under their own names, but for its parameters and the users' weights, which move.

    Raises:
        ValueError: If an argument is out of its range, or does not fit the method.
    """

    method: Method
    names: tuple[str, ...]  # of the tasks, in order
    heads: Heads
    scale: Scale
    gramian_from: Parameters | None
    route: RouteName
    probe_every: int
    ranks: Any
    monitor: Monitoring

    def __post_init__(self) -> None:
        method, ranks = self.method, self.ranks
        if not isinstance(method, Method):
            got, instead = short_repr(method), ""
            if isinstance(method, type) and issubclass(method, Method):
                got, instead = method.__name__, f": write {method.__name__}()"
            elif isinstance(method, nn.Module):
                got, instead = type(method).__name__, ": it comes first, Balancer(method, model)"
            raise ValueError(f"method must be a method such as MGDA() or eq.method('mgda'), got {got}{instead}")
        if self.heads not in ("raw", "weighted"):
            raise ValueError(f"heads must be 'raw' or 'weighted', got {self.heads!r}")
        if self.scale not in ("sum", "paper"):
            raise ValueError(f"scale must be 'sum' or 'paper', got {self.scale!r}")
        if self.route not in ROUTES:
            raise ValueError(f"route must be one of {', '.join(map(repr, ROUTES))}, got {self.route!r}")
        if not isinstance(self.probe_every, int) or self.probe_every < 0:
            raise ValueError(f"probe_every must be 0 or a number of steps, got {self.probe_every!r}")
        if ranks not in ("auto", "local") and not (dist.is_available() and isinstance(ranks, dist.ProcessGroup)):
            raise ValueError(f"ranks must be 'auto', 'local' or a process group, got {ranks!r}")
        if self.monitor not in ("warn", "off"):
            raise ValueError(f"monitor must be 'warn' or 'off', got {self.monitor!r}")
        if strangers := sorted(method.needs - set(FEEDBACK)):
            raise ValueError(f"needs of {method} must be among {', '.join(map(repr, FEEDBACK))}, got {strangers}")
        if self.parts.coordinate is not None and self.gramian_from is not None:
            raise ValueError("gramian_from has no use in a coordinate method: it needs all rows")
        if self.parts.coordinate is not None and self.route in ("factored", "low-memory"):
            raise ValueError(
                f"route={self.route!r} has no rows, and {method} needs them: use 'auto', 'rows' or 'batched'"
            )
        if self.parts.group is not None and self.route == "low-memory":
            raise ValueError(f"route='low-memory' has no gradients of groups, and {method} weighs them: use 'auto'")
        if self.parts.group is not None and self.gramian_from is not None:
            raise ValueError(f"gramian_from has no use in {method}: it compares gradients by every group")
        if self.parts.group is not None and self.heads == "weighted":
            raise ValueError(f"heads='weighted' has no use in {method}: a task has a weight in every group")

    def __deepcopy__(self, memo: dict[int, Any]) -> "Config":
        """A copy that talks to the same process group: a group is not copied."""
        twin = memo[id(self)] = object.__new__(Config)
        twin.__dict__.update(copy.deepcopy({**self.__dict__, "ranks": None}, memo), ranks=self.ranks)
        return twin

    @cached_property
    def parts(self) -> Parts:
        """The method by what its parts see."""
        return split(self.method)

    @cached_property
    def has_scale(self) -> bool:
        """Whether ``scale`` makes a difference to the method."""
        leaves = [
            part for part in self.method.modules() if isinstance(part, Method) and not isinstance(part, Composite)
        ]
        return any(leaf.sum_factor(len(self.names)) not in (1, None) for leaf in leaves)

    def bind(self, device: torch.device) -> None:
        """Give the method its size and its device, once.

        Raises:
            ValueError: If another balancer has it.
        """
        for part in self.method.modules():
            if isinstance(part, Method):
                part.require_unbound()
        self.method.name_tasks(self.names)
        with _plain_defaults():
            self.method.bind(len(self.names))
        if self.scale == "sum":
            self.method.match_sum()
        if device.type != "meta":  # a model that is filled later; state would lose its numbers
            self.method.to(device)

    def require_representation_fits(self) -> None:
        """Raise if gradients cannot be compared at a representation."""
        if self.parts.coordinate is not None:
            raise ValueError("representation has no use in a coordinate method: it needs all rows")
        if self.parts.group is not None:
            raise ValueError(f"representation has no use in {self.method}: it compares gradients by every group")
        if self.gramian_from is not None:
            raise ValueError("give gramian_from or a representation, not both")


@contextmanager
def _plain_defaults() -> Iterator[None]:
    """The CPU, and float32 or better: trainers set a GPU and bfloat16 while a model is made, and state needs digits."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.promote_types(dtype, torch.float32))
    try:
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(dtype)
