"""What findings are drawn from."""

from dataclasses import dataclass, field

from torch import Tensor
from torch.optim import Optimizer

from equipoise.balancer import Balancer
from equipoise.doctor.examined import ParameterReach
from equipoise.step import Step


@dataclass
class Seen:
    """All that findings are drawn from."""

    balancer: Balancer
    step: Step
    optimizers: list[Optimizer]
    names: dict[Tensor, str]  # of the leaves
    gramian: Tensor | None = None
    weights: Tensor | None = None
    single_task_tensors: list[str] = field(default_factory=list)
    reach: list[ParameterReach] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)  # what could not be looked at
