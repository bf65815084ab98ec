"""What a case is: data, a model, tasks and their metrics; and what it reads from its data by itself."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePath
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset, default_collate

from equipoise.lab.cases.metrics import Metric, Named, make_metrics
from equipoise.lab.cases.own import network_maker, stack_samples
from equipoise.lab.data.arrays import Arrays, join, joined_targets
from equipoise.lab.data.split import SPLITS, split_of
from equipoise.lab.diagnostics import Diagnostic
from equipoise.names import nearest
from equipoise.tasks import Tasks

Collate = Callable[[list[Any]], tuple[Any, dict[str, Tensor]]]
BATCH = 1024  # samples that are read at once


@dataclass(frozen=True)
class Case:
    """A multi-task problem on real data: four arguments, and defaults for all else.

    What is left open is read from the data when the case is made: one pass over all samples each for a split of one
    data set, for metrics that are given by name, and for ``data_hash``.

    Args:
        name: As the command line calls it, and of the study's folder; without a slash.
        tasks: All of the case's tasks.
        data: The data sets "train", "validation" and "test"; or one, which is split into 70 / 15 / 15 percent by the
            content of the inputs; ``splits`` has the three. A sample is (inputs, targets by name), or whatever
            ``collate`` takes.
        model: Task names -> network with heads for these only: inputs -> outputs by task name. Draws from torch's
            generator, and the same numbers for the encoder whatever the names.
        metrics: By task name, the primary one first: names, torchmetrics metrics or ``Metric``s, as ``make_metrics``
            takes them; ``made_metrics`` has them as ``Metric``s. A task that is not there has those that follow from
            its loss.
        batch_size: A sensible start, as are ``learning_rate``, ``weight_decay`` and ``epochs``.
        title: One line for people; empty: the name.
        collate: A list of samples -> (inputs, targets by name), the labels on the first axis. By default ``Arrays``
            are joined, all else is stacked by torch, as ``stack_samples`` says.
        learning_rate: For AdamW.
        weight_decay: For AdamW.
        epochs: Enough for the validation metrics to pass their best.
        data_hash: SHA-256 of the data, in hexadecimal; empty: computed from every sample. Give it where samples are
            many, or differ at each reading (augmentation).
        schedule: Of the learning rate: constant, linear, cosine or step.
        average: Of the moving average of the weights that is evaluated, as ``Settings`` has it; 0: of none.
        start: Where heads begin: "drawn", or "labels", at the labels' frequencies, means and deviations.
        patience: Epochs without improvement on validation after which a run stops; more where that is small, so noisy.
        diagnostics: What a finished run shows beyond numbers, such as a confusion matrix.
        losses: By task name, then by the loss's name (letters, digits and ``-``): a factory of a loss that takes the
            task's outputs and targets. The first makes the task's own loss. Arguments of a factory that have defaults
            can be chosen and searched. A task with no loss but its own can be left out.
        features: The name of a split -> numbers of each of its samples [N, D], an array or a sparse matrix in the order
            of the data set, from which models of scikit-learn learn the tasks for comparison. None: they do not.
        notes: What a reader of the results has to know of the data, each a sentence.
        network: What in the network follows from the data, such as "4 members"; a study resumes only with the same.
        chosen: By task name, which of ``losses`` replaces the case's own; ``with_losses`` sets it.

    Raises:
        ValueError: An argument is out of its range, one data set cannot be split, a target is not there, or a metric
            cannot be made.
    """

    name: str
    tasks: Tasks
    data: Mapping[str, Dataset[Any]] | Dataset[Any]
    model: Callable[[Sequence[str]], nn.Module]
    metrics: Mapping[str, Sequence[Named]] = field(default_factory=dict)
    batch_size: int = 32
    title: str = ""
    collate: Collate = default_collate
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    epochs: int = 30
    data_hash: str = ""
    patience: int = 3
    schedule: str = "constant"
    average: float | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    losses: Mapping[str, Mapping[str, Callable[..., Callable[..., Tensor]]]] = field(default_factory=dict)
    features: Callable[[str], Any] | None = None
    notes: tuple[str, ...] = ()
    network: str = ""
    start: str = "drawn"
    chosen: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._require_arguments()
        data: Any = self.data
        first = next(iter(data.values())) if isinstance(data, Mapping) else data
        collate = self.collate
        if collate is default_collate:
            names = tuple(str(task.target) for task in self.tasks if task.target is not None)
            collate = join if isinstance(first, Arrays) else partial(stack_samples, names=names)
        if not isinstance(data, Mapping):
            data = _split_data(data, collate)
        self._set(title=self.title or self.name, model=network_maker(self.model), collate=collate, data=data)
        are_made = all(isinstance(metric, Metric) for metrics in self.metrics.values() for metric in metrics)
        if not are_made or not {*self.tasks.names} <= {*self.metrics}:
            self._set(metrics=self._make_metrics())
        self._set(data_hash=self.data_hash or _hash_data(self.splits, self.collate))

    @property
    def splits(self) -> Mapping[str, Dataset[Any]]:
        """``data`` by the names of the splits, as it is once the case is made."""
        return cast("Mapping[str, Dataset[Any]]", self.data)

    @property
    def made_metrics(self) -> Mapping[str, Sequence[Metric]]:
        """``metrics``, of which every one is a ``Metric`` once the case is made."""
        return cast("Mapping[str, Sequence[Metric]]", self.metrics)

    def _require_arguments(self) -> None:
        if not self.name or self.name != PurePath(self.name).name:
            raise ValueError(f"name is that of the study's folder, too, so it has no slash, got {self.name!r}")
        if not isinstance(self.tasks, Tasks):
            raise ValueError(f"tasks must be equipoise.Tasks([...]), got {type(self.tasks).__name__}")
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")
        if isinstance(self.data, DataLoader):
            raise ValueError(
                "data must be a data set, got a DataLoader: give loader.dataset, and batch_size= to the case"
            )
        if alone := [task for task, named in self.metrics.items() if isinstance(named, str)]:
            named = self.metrics[alone[0]]
            raise ValueError(f"metrics of task {alone[0]!r} must be a list, such as [{named!r}], got {named!r}")

    def _set(self, **values: Any) -> None:
        """Set fields of this frozen object while it is made."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _make_metrics(self) -> dict[str, tuple[Metric, ...]]:
        """The metrics by task name, from names, torchmetrics metrics or the losses, and the labels in the data."""
        for split in ("train", "validation"):
            if split not in self.splits:
                raise ValueError(f"data has no {split!r}; {nearest(split, self.splits)}")
        ignored = {str(task.target): task.ignored_class for task in self.tasks}
        train, validation = (
            joined_targets(
                [targets for _, targets in DataLoader(self.splits[split], BATCH, collate_fn=self.collate)], ignored
            )
            for split in ("train", "validation")
        )
        return make_metrics(self.tasks, train, validation, self.metrics)


def _split_data(data: Any, collate: Collate) -> dict[str, Dataset[Any]]:
    """Train, validation and test, 70 / 15 / 15 percent; samples with the same inputs are on one side.

    Raises:
        ValueError: It has no length, or so few samples that a split is empty.
    """
    if not hasattr(data, "__len__"):
        raise ValueError("data must have a length, or be the data sets train, validation and test by name")
    split = [split_of(_mark(collate([data[place]])[0])) for place in range(len(data))]
    rows = {name: [place for place, one in enumerate(split) if one == name] for name in SPLITS}
    if empty := [name for name in SPLITS if not rows[name]]:
        raise ValueError(f"{len(data)} samples leave none for {empty[0]}: give more, or the three data sets by name")
    if isinstance(data, Arrays):
        return {name: data.where(torch.tensor(places)) for name, places in rows.items()}
    return {name: Subset(data, places) for name, places in rows.items()}


def _hash_data(data: Mapping[str, Dataset[Any]], collate: Collate) -> str:
    """SHA-256 of every sample of every data set, in order."""
    digest = hashlib.sha256()
    for name, one in data.items():
        digest.update(name.encode())
        for batch in DataLoader(one, BATCH, collate_fn=collate):
            digest.update(_mark(batch).encode())
    return digest.hexdigest()


def _mark(value: Any) -> str:
    digest = hashlib.sha256()
    for part in _bytes(value):
        digest.update(part)
    return digest.hexdigest()


def _bytes(value: Any) -> Iterator[bytes]:
    if isinstance(value, Tensor):
        yield f"{value.dtype} {tuple(value.shape)}".encode()
        yield value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield repr(key).encode()
            yield from _bytes(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _bytes(one)
    else:
        yield repr(value).encode()
