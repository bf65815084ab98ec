"""A method with one seed, as a training loop of one's own gets it."""

from dataclasses import dataclass, field
from typing import Any

import equipoise as eq
from equipoise.lab.api.recorder import Recorder


@dataclass(eq=False)
class Arm:
    """A method with one seed; nothing in it has seen another run.

    Args:
        name: Of the method, as the results show it.
        seed: Of the run; those of ``random``, numpy and torch are set to it already.
        method: Made for this run.
    """

    name: str
    seed: int
    method: eq.Method = field(repr=False)
    recorded: Recorder | None = field(default=None, init=False, repr=False)  # what ``recorder`` made

    def balancer(self, model: Any, tasks: Any, **options: Any) -> eq.Balancer:
        """The balancer of this run's model; arguments as of ``eq.Balancer``."""
        return eq.Balancer(self.method, model, tasks=tasks, **options)

    def recorder(self, tasks: Any, epochs: int | None = None) -> Recorder:
        """The recorder of this run, whose history the comparison keeps; arguments as of ``Recorder``.

        Raises:
            ValueError: The run has one already.
        """
        if self.recorded is not None:
            raise ValueError(f"{self.name}, seed {self.seed} has a recorder already: call arm.recorder once")
        self.recorded = Recorder(tasks, epochs=epochs, title=f"{self.name}, seed {self.seed}")
        return self.recorded
