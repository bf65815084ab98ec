"""The users' weights while training: those in use, and those that come with the next step."""

from collections.abc import Mapping
from typing import Any

import torch

from equipoise.arguments import positive_weight, short_repr
from equipoise.method import Method
from equipoise.monitor import warn
from equipoise.names import nearest
from equipoise.task_weights import NamedWeights

_WARNINGS = {
    "ignored": "does not depend on the scale of a loss, so the weights {weights} do not change its balance",
    "inverts": "listens to small gradients, so the weights {weights} make heavier tasks count less in its direction",
}


class LiveWeights:
    """Weights by task name, of all tasks in order."""

    def __init__(self, built_with: Mapping[str, float], method: Method) -> None:
        self._built_with = NamedWeights(built_with)
        self._method = method
        self.next: NamedWeights | None = None  # of the next step, if they are others
        self._has_warned = False
        self.is_live: bool = False  # whether anybody has set any since the balancer was built
        self.now: NamedWeights = self._built_with  # in use; never changed in place

    @property
    def newest(self) -> NamedWeights:
        """Those of the next step."""
        return self.now if self.next is None else self.next

    def set(self, weights: Mapping[str, float]) -> None:
        """Let the next step have these; see ``Balancer.set_weights``."""
        if not isinstance(weights, Mapping):
            raise ValueError(f"weights must map task names to numbers, got {short_repr(weights)}")
        for name in weights:
            if name not in self.now:
                raise ValueError(f"no task {name!r}; {nearest(str(name), self.now)}")
        given = {name: positive_weight(name, weight) for name, weight in weights.items()}
        parts = (part for part in self._method.modules() if isinstance(part, Method))
        if any(part.stated(range(len(self.now))) is not None for part in parts):
            raise ValueError(
                f"{self._method} has weights of its own, with which those of set_weights would multiply: give its "
                "weights to the balancer, as in Balancer(Sum(), ..., tasks={name: weight}), and set them there"
            )
        self.next, self.is_live = NamedWeights({**self.newest, **given}), True
        self._warn(self.next)

    def adopt(self) -> None:
        """Put the newest in use."""
        if self.next is not None:
            self.now, self.next = self.next, None
            self._prefer()

    def start(self) -> None:
        """Tell a bound method of weights that are not all 1."""
        if set(self.now.values()) != {1.0}:
            self._prefer()
            self._warn(self.now)

    def saved(self) -> list[float] | None:
        """The newest in order, or None if nobody has set any since the balancer was built."""
        return list(self.newest.values()) if self.is_live else None

    def load(self, saved: Any) -> None:
        """Take up what ``saved`` gave."""
        self.is_live = saved is not None
        values = self._built_with.values() if saved is None else saved
        self.next = NamedWeights(zip(self.now, values, strict=True))
        self.adopt()

    def _prefer(self) -> None:
        self._method.prefer(torch.tensor(list(self.now.values()), dtype=torch.float64, device="cpu"))

    def _warn(self, weights: Mapping[str, float]) -> None:
        """Warn, once, if weights do not do what they say."""
        if not self._has_warned and (text := _WARNINGS.get(self._method.user_weight)):
            self._has_warned = True
            warn(f"{self._method} {text.format(weights=weights)}")
