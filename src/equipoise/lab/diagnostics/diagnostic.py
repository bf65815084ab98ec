"""What a diagnostic is, what it may look at, and what it gives: a matrix, a table, or cards with pictures."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from equipoise.missing import labelled_samples
from equipoise.tasks import Tasks


@dataclass(frozen=True)
class Matrix:
    """Shares of one thing by another.

    Args:
        rows: The names of the rows, from the top.
        columns: The names of the columns.
        row_title: What the rows are.
        column_title: What the columns are.
        shares: 0 to 1 [rows][columns]; None where there is nothing to divide by.
        counts: What the shares were made of [rows][columns]; empty where the counts say nothing.
        note: How to read it, plain text.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    row_title: str
    column_title: str
    shares: tuple[tuple[float | None, ...], ...]
    counts: tuple[tuple[int, ...], ...] = ()
    note: str = ""


@dataclass(frozen=True)
class ScoreTable:
    """Rows of cells under names; the first cell of a row names it, None is nothing to say."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float | None, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """A small picture as a PNG file, and in words for those who do not see it."""

    png: bytes
    caption: str

    @classmethod
    def of(cls, pixels: Tensor, caption: str) -> "Picture":
        """From pixels [H, W, 3] or, in grey, [H, W], uint8."""
        from matplotlib.image import imsave  # not on top: a worker without pictures begins half a second sooner

        file = io.BytesIO()
        imsave(file, pixels.numpy(), format="png", cmap="gray", vmin=0, vmax=255)
        return cls(file.getvalue(), caption)


@dataclass(frozen=True)
class Card:
    """One sample: lines of plain text, the first its title, and pictures side by side."""

    lines: tuple[str, ...]
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Gallery:
    """Samples to look at."""

    cards: tuple[Card, ...]
    note: str = ""


Result = Matrix | ScoreTable | Gallery


@dataclass(frozen=True)
class Predictions:
    """The outputs of a trained network on the validation split; the test split is read for scores alone.

    Args:
        model: With the weights of the best epoch, in evaluation mode.
        tasks: Those it was trained on.
        outputs: Of all samples by output name, on the CPU [N, ...].
        targets: Their labels by target name, on the CPU [N, ...].
        samples: The split's dataset: ``samples[i]`` is sample i as ``collate`` takes it.
        collate: The case's own: a list of samples -> (inputs, targets).
    """

    model: nn.Module
    tasks: Tasks
    outputs: Mapping[str, Tensor]
    targets: Mapping[str, Tensor]
    samples: Any
    collate: Callable[[list[Any]], tuple[Any, Any]]

    def output(self, name: str) -> Tensor:
        """What a task compares with its target [N, ...]."""
        return self.outputs[str(self.tasks[name].output)]

    def target(self, name: str) -> Tensor:
        """The labels of a task [N, ...]."""
        return self.targets[str(self.tasks[name].target)]

    def labelled(self, name: str) -> tuple[Tensor, Tensor, Tensor]:
        """The places [M] of the samples that have a label of this task, their outputs [M, ...] and targets [M, ...]."""
        task = self.tasks[name]
        output, target = self.output(name), self.target(name)
        places = labelled_samples(target, task.ignored_class).nonzero()[:, 0]
        return places, output[places], target[places]

    def inputs(self, places: Sequence[int]) -> Any:
        """The inputs of these samples as one batch, as the model takes them, on the CPU."""
        inputs, _ = self.collate([self.samples[place] for place in places])
        return inputs


@dataclass(frozen=True)
class Diagnostic:
    """Something to show of a finished run.

    Args:
        name: Unique within the case.
        title: One line for people.
        tasks: Those it looks at: a network that was trained without one of them does not show it.
        show: What there is to see. Whatever it raises costs this diagnostic alone.
    """

    name: str
    title: str
    tasks: tuple[str, ...]
    show: Callable[[Predictions], Result]


@dataclass(frozen=True)
class DiagnosticResult:
    """A diagnostic of a run, as it was made: its result, or in one line why there is none."""

    name: str
    title: str
    tasks: tuple[str, ...]
    result: Result | str
