"""One available method: what is stated of it here, what its own code says, what a step with it was measured to cost."""

import csv
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.chain import Composite
from equipoise.docstrings import paragraphs
from equipoise.method import Aggregator, GroupAggregator, Method, UserWeight, Weighting
from equipoise.registry.limit import Limit

COMMAND = "python benchmarks/method_costs.py"
FILE = Path(__file__).with_name("costs.csv")  # written by COMMAND
_FEW, _MANY = 4, 16  # tasks, between which a factor shows itself as a power of their number


@dataclass(frozen=True)
class MethodRow:
    """A method under the name that papers and the command line use.

    Its idea, paper and formula stand in the docstrings of its module and class, and are read from there.
    """

    name: str
    cls: type[Method]
    when: str  # to use it
    takes: str = ""  # where it is more than its type says: what it reads, and what the training loop has to give it
    errata: str = ""  # where public code differs from the paper
    unverified: str = ""  # what could not be checked against the text of the paper
    limit: Limit | None = None  # where training ends; every method has one, but for those around another
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
    def idea(self) -> str:
        """What it does, in a line: the first of its module's docstring."""
        return _paragraphs(inspect.getmodule(self.cls))[0]

    @property
    def paper(self) -> str:
        """Where it comes from: the rest of its module's docstring."""
        return " ".join(_paragraphs(inspect.getmodule(self.cls))[1:])

    @property
    def formula(self) -> str:
        """The first line of the class's docstring."""
        return _paragraphs(self.cls)[0]

    @property
    def needs(self) -> str:
        """What it reads of the tasks, and what the training loop has to give it."""
        kinds = {
            Composite: "a method",
            Weighting: "losses",
            Aggregator: "gramian",
            GroupAggregator: "a gramian for each parameter",
        }
        return self.takes or next((word for kind, word in kinds.items() if issubclass(self.cls, kind)), "jacobian")

    @property
    def cost(self) -> str:
        """Cost per step beside the forward pass, with K tasks."""
        if issubclass(self.cls, Composite):
            return "as the method has it"
        return "1 backward" if issubclass(self.cls, Weighting) else "K backwards"

    @property
    def user_weight(self) -> UserWeight:
        """What becomes of a user's weight: see ``Method``."""
        return self.cls.user_weight

    @property
    def norm(self) -> str:
        """Of K equal gradients of equal losses at the paper's scale, beside their sum, such as ``1/K``; or ``own``."""
        few, many = (self._factor(num_tasks) for num_tasks in (_FEW, _MANY))
        if few is None or many is None:
            return "own"
        power = round(math.log(many / few, _MANY / _FEW), 6)
        numerator = f"{_FEW**power / few:.3g}"
        if power == 0:
            return numerator
        return f"{numerator}/K{'' if power == 1 else '²' if power == 2 else f'^{power:g}'}"

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

    def _factor(self, num_tasks: int) -> float | None:
        method = self.make(num_tasks)
        method.bind(num_tasks)
        return method.sum_factor(num_tasks)


def _paragraphs(documented: object) -> list[str]:
    """As they would be printed."""
    return [paragraph.replace("``", "`") for paragraph in paragraphs(documented)]


@dataclass(frozen=True)
class StepCost:
    """What a step with a method costs, as a ratio to the plain sum."""

    three: float  # with three tasks
    ten: float
    machine: str


def read_costs() -> dict[str, StepCost]:
    """The measured costs by the method's name."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return {
            row["method"]: StepCost(float(row["three"]), float(row["ten"]), row["machine"])
            for row in csv.DictReader(file)
        }
