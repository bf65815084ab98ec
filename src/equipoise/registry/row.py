"""One available method."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from equipoise.method import Method, UserWeight, Weighting


@dataclass(frozen=True)
class MethodRow:
    """A method under the name that its paper and the command line use."""

    name: str
    cls: type[Method]
    paper: str
    needs: str  # what it reads of the tasks, and what the training loop has to give it
    idea: str
    when: str  # to use it
    errata: str = ""  # where public code differs from the paper
    sample: Callable[[int], dict[str, Any]] = lambda num_tasks: {}  # arguments with which it is measured
    code: str = ""  # the expression that makes it, where that is not ``eq.method`` of its name

    def make(self, num_tasks: int) -> Method:
        """A new method for so many tasks, with what it requires, and with waits that end within a few steps."""
        return self.cls(**self.sample(num_tasks))

    @property
    def example(self) -> str:
        """An expression that makes it, with what it requires for three tasks."""
        required = {name for name, default in self.arguments.items() if default is inspect.Parameter.empty}
        given = [f"{name}={value!r}" for name, value in self.sample(3).items() if name in required]
        named = ", ".join([f'"{self.name}"', *given])
        return self.code or f"eq.method({named})"

    @property
    def cost(self) -> str:
        """Cost per step beside the forward pass, with K tasks."""
        return "1 backward" if issubclass(self.cls, Weighting) else "K backwards"

    @property
    def user_weight(self) -> UserWeight:
        """What becomes of a user's weight: see ``Method``."""
        return self.cls.user_weight

    @property
    def formula(self) -> str:
        """The first line of the class's docstring."""
        return inspect.cleandoc(self.cls.__doc__ or "").split("\n\n")[0].replace("\n", " ")

    @property
    def signature(self) -> str:
        """The arguments as they would be typed."""
        return ", ".join(
            name if default is inspect.Parameter.empty else f"{name}={default!r}"
            for name, default in self.arguments.items()
        )

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments with their defaults; ``inspect.Parameter.empty`` for a required one."""
        parameters = list(inspect.signature(self.cls.__init__).parameters.values())[1:]
        return {p.name: p.default for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD}
