"""What an exhibit is, and what it may look at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.lab.exhibits.result import Result
from equipoise.tasks import Tasks


@dataclass(frozen=True)
class Seen:
    """A trained network and what it says of the validation split; the test split is read for scores alone.

    Args:
        model: With the weights of the best epoch, in evaluation mode.
        tasks: Those it was trained on.
        outputs: Of all samples by output name, on the CPU [N, ...].
        targets: Their labels by target name, on the CPU [N, ...].
        samples: The split's dataset: ``samples[i]`` is (inputs, targets) of sample i.
        collate: The case's own: a list of samples -> (inputs, targets).
    """

    model: nn.Module
    tasks: Tasks
    outputs: Mapping[str, Tensor]
    targets: Mapping[str, Tensor]
    samples: Any
    collate: Callable[[list[Any]], tuple[Any, Any]]

    def labelled(self, name: str) -> tuple[Tensor, Tensor, Tensor]:
        """The places [M] of the samples that have a label of this task, their outputs [M, ...] and targets [M, ...]."""
        task = self.tasks[name]
        output, target = self.outputs[str(task.output)], self.targets[str(task.target)]
        if target.is_floating_point():
            there = ~target.isnan()
        elif task.ignored_class is not None:
            there = target != task.ignored_class
        else:
            there = torch.ones_like(target, dtype=torch.bool)
        places = there.reshape(len(there), -1).any(dim=1).nonzero()[:, 0]
        return places, output[places], target[places]

    def inputs(self, places: Sequence[int]) -> Any:
        """The inputs of these samples as one batch, as the model takes them, on the CPU."""
        inputs, _ = self.collate([self.samples[place] for place in places])
        return inputs


@dataclass(frozen=True)
class Exhibit:
    """Something to show of a finished run.

    Args:
        name: Unique within the case.
        title: One line for people.
        tasks: Those it looks at: a network that was trained without one of them does not show it.
        show: What there is to see. Whatever it raises costs this exhibit alone.
    """

    name: str
    title: str
    tasks: tuple[str, ...]
    show: Callable[[Seen], Result]
