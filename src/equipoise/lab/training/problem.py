"""What the loop needs to know of a case: nothing else of it is touched."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor, nn
from torch.utils.data import Dataset

from equipoise.lab.diagnostics import Diagnostic
from equipoise.tasks import Tasks


class MetricLike(Protocol):
    """How good a task's outputs are."""

    @property
    def name(self) -> str:
        """Unique within the task."""

    @property
    def perfect(self) -> float:
        """The best value there is."""

    @property
    def trivial(self) -> float:
        """The value of a constant predictor."""

    @property
    def compute(self) -> Callable[[Tensor, Tensor], float]:
        """``(outputs, targets) -> value`` on a whole split, samples without a label removed."""

    @property
    def calibrate(self) -> "Callable[[Tensor, Tensor], MetricLike] | None":
        """``(outputs, targets) -> metric`` with what it chooses by a split chosen; None where nothing is."""


class Problem(Protocol):
    """Data, a network and tasks."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def data_hash(self) -> str:
        """Tells one version of the data from another."""

    @property
    def tasks(self) -> Tasks:
        """All tasks."""

    @property
    def data(self) -> Mapping[str, Dataset[Any]]:
        """The datasets "train" and "validation", and "test" where the run is to be scored on it."""

    @property
    def collate(self) -> Callable[[list[Any]], tuple[Any, dict[str, Tensor]]]:
        """A list of samples -> (inputs, targets by task name)."""

    @property
    def model(self) -> Callable[[Sequence[str]], nn.Module]:
        """Task names -> network: inputs -> outputs by task name."""

    @property
    def metrics(self) -> Mapping[str, Sequence[MetricLike]]:
        """By task name, the primary one first."""

    @property
    def diagnostics(self) -> Sequence[Diagnostic]:
        """What a finished run is to show."""


class CaseDefaults(Problem, Protocol):
    """A problem with settings of its own."""

    @property
    def epochs(self) -> int:
        """At most."""

    @property
    def batch_size(self) -> int:
        """Samples per step."""

    @property
    def learning_rate(self) -> float:
        """At its highest."""

    @property
    def weight_decay(self) -> float:
        """Of AdamW."""

    @property
    def patience(self) -> int:
        """Epochs without a better one."""
