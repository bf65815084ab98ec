"""What a case is: data, a model and tasks, and how well each can be done."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.utils.data import Dataset

from equipoise.lab.diagnostics import Diagnostic
from equipoise.tasks import Tasks


@dataclass(frozen=True)
class Metric:
    """How good a task's outputs are.

    Args:
        name: Unique within the task.
        higher_is_better: Whether larger values are better.
        perfect: The best value there is.
        trivial: The value on the validation split of a constant predictor fitted on the training split.
        compute: ``(outputs, targets) -> value`` on a whole split, samples without a label removed.
        settle: ``(outputs, targets) -> metric`` where ``compute`` chooses something by the split that it is given, such
            as thresholds: the metric that keeps what it chose on this one. None where nothing is chosen.
    """

    name: str
    higher_is_better: bool
    perfect: float
    trivial: float
    compute: Callable[[Tensor, Tensor], float]
    settle: "Callable[[Tensor, Tensor], Metric] | None" = None


@dataclass(frozen=True)
class Case:
    """A multi-task problem on real data.

    Args:
        name: As the command line calls it.
        title: One line for people.
        tasks: All of the case's tasks.
        splits: The datasets "train", "validation" and "test".
        collate: A list of samples -> (inputs, targets by task name).
        make_model: Task names -> network with heads for these only: inputs -> outputs by task name. Draws
            from torch's generator, and the same numbers for the encoder whatever the names.
        metrics: By task name; the first is the primary one. ``make_metrics`` makes them from names.
        batch_size: A sensible default, as are ``learning_rate``, ``weight_decay`` and ``epochs``.
        learning_rate: For AdamW.
        weight_decay: For AdamW.
        epochs: Enough for the validation metrics to pass their best.
        data_hash: SHA-256 of the data file, in hexadecimal.
        patience: Epochs without a better one after which a run stops; more where validation is small, so noisy.
        diagnostics: What a finished run shows beyond numbers, such as a confusion matrix.
        losses: By task name, then by name (letters, digits and ``-``): what makes the losses that take the task's
            outputs and targets. The first makes the task's own. Arguments with defaults can be chosen and searched. A
            task of which none but its own is known is not there.
        chosen: By task name, which of ``losses`` stand in place of the case's own, as ``with_losses`` took them.
    """

    name: str
    title: str
    tasks: Tasks
    splits: Mapping[str, Dataset[Any]]
    collate: Callable[[list[Any]], tuple[Any, dict[str, Tensor]]]
    make_model: Callable[[Sequence[str]], nn.Module]
    metrics: Mapping[str, tuple[Metric, ...]]
    batch_size: int
    learning_rate: float
    weight_decay: float
    epochs: int
    data_hash: str
    patience: int = 3
    diagnostics: tuple[Diagnostic, ...] = ()
    losses: Mapping[str, Mapping[str, Callable[..., Callable[..., Tensor]]]] = field(default_factory=dict)
    chosen: Mapping[str, str] = field(default_factory=dict)
